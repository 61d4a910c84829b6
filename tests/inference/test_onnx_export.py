"""ONNX files of every detector that has one: equal detections, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from midog.augment.on_device import to_float
from midog.boxes import Detections
from midog.config.load import parse_config
from midog.errors import ConfigError, WeightsError
from midog.inference import onnx_export
from midog.inference.detector import Detector
from midog.inference.loaded_models import make_ensemble
from midog.inference.onnx_export import TILE, export_onnx
from midog.models.build import build_model
from midog.models.registry import DETECTORS

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'midog[onnx]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'midog[onnx]'")

SIDE = 128
KINDS: dict[str, dict[str, Any]] = {
    "retinanet": {"anchor_sizes": [[40, 56]]},
    "fcos": {},
    "centroid": {},
    "unet": {"width": 4},
}


def save(
    kind: str, folder: Path, tile: int | str = "auto", shown: Tensor | None = None, **settings: Any
) -> Path:
    """A model's folder whose random weights score a few places high, in images like those shown."""
    shown = torch.rand(2, 3, SIDE, SIDE) if shown is None else shown
    model = {"kind": kind, "backbone": "resnet18", "weights": "none", **settings}
    config = parse_config({"model": model, "inference": {"tile": tile, "overlap": 32}})
    torch.manual_seed(0)
    network = build_model(config, pretrained=False).eval()
    spread = DETECTORS[kind].spread
    assert spread is not None
    spread(network, shown, 0.02)
    Detector(network, config, threshold=0.4, device="cpu", info={"data": "abc"}).save(folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def pair(request, roi, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model's folder, and its ONNX file for tiles of SIDE px."""
    root = tmp_path_factory.mktemp(request.param)
    tiles = np.stack([roi[:SIDE, :SIDE], roi[SIDE : 2 * SIDE, SIDE : 2 * SIDE]])
    shown = to_float(torch.from_numpy(tiles))
    folder = save(request.param, root / "best", shown=shown, **KINDS[request.param])
    exported = export_onnx(folder, root / "model.onnx", tile=SIDE)
    assert exported.tile == SIDE
    assert 0 <= exported.score < 5e-4
    return folder, exported.path


def same(ours: Detections, theirs: Detections) -> None:
    """Equal up to 1e-4 in scores and 0.05 px, in whatever order."""
    assert len(ours) == len(theirs)
    apart = np.abs(ours.boxes[:, None] - theirs.boxes).max(axis=-1)
    apart[ours.labels[:, None] != theirs.labels] = np.inf
    nearest = apart.argmin(axis=1)
    assert len(set(nearest.tolist())) == len(ours)
    assert apart.min(axis=1).max() <= 0.05
    np.testing.assert_allclose(ours.scores, theirs.scores[nearest], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_detections_are_those_of_torch(pair: tuple[Path, Path], roi) -> None:
    folder, file = pair
    pixels = roi[:300, :260]
    own = Detector.load(folder, device="cpu", tile=SIDE, precision="32-true")
    one, three = (Detector.load(file, batch_size=size) for size in (1, 3))
    expected = own(pixels, mpp=0.25)
    assert len(expected) > 3
    same(one(pixels, mpp=0.25), expected)
    same(three(pixels, mpp=0.25), expected)
    assert (one.threshold, one.threshold_from) == (own.threshold, own.threshold_from)
    assert one.info["data"] == "abc"
    stated = one.settings()
    assert stated.pop("runtime") == "onnxruntime"
    assert stated == own.settings()


@pytest.fixture(scope="module")
def centroid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save("centroid", tmp_path_factory.mktemp("small") / "best", tile=96)


def test_the_tile_is_the_models_own(centroid: Path, tmp_path: Path) -> None:
    exported = export_onnx(centroid, tmp_path / "a.onnx")
    assert exported.tile == 96
    card = json.loads((tmp_path / "a.onnx.json").read_text())
    assert card["config"]["inference"]["tile"] == 96
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.onnx.json"]
    export_onnx(centroid, tmp_path / "a.onnx", tile=64)  # what midog wrote is replaced
    assert Detector.load(tmp_path / "a.onnx").inference.tile == 64
    assert TILE % 32 == 0


def test_what_cannot_be_exported_is_refused(centroid: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "a.onnx"
    two_stages = save("faster_rcnn", tmp_path / "rcnn", proposals=50, box_width=64, version=1)
    with pytest.raises(WeightsError, match="is a faster_rcnn, which has no ONNX: how many boxes"):
        export_onnx(two_stages, out)
    other = tmp_path / "other"
    shutil.copytree(centroid, other)
    detector = Detector.load(other, device="cpu")
    with torch.no_grad():
        next(detector.model.parameters()).mul_(1.1)
    detector.save(other)
    make_ensemble([centroid, other], tmp_path / "both")
    with pytest.raises(WeightsError, match="both is an ensemble"):
        export_onnx(tmp_path / "both", out)
    with pytest.raises(WeightsError, match=r"ends not in \.onnx"):
        export_onnx(centroid, tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="tile"):
        export_onnx(centroid, out, tile=100)
    (tmp_path / "mine.onnx").write_bytes(b"mine")
    with pytest.raises(WeightsError, match="was not written by midog"):
        export_onnx(centroid, tmp_path / "mine.onnx")
    monkeypatch.setattr(onnx_export, "SCORE_TOLERANCE", -1.0)
    with pytest.raises(WeightsError, match="differs from its network by"):
        export_onnx(centroid, out)
    assert not out.exists()
    assert not (tmp_path / "a.onnx.json").exists()


def test_boxes_are_compared_with_the_nearest_of_their_class() -> None:
    boxes = torch.arange(16.0).view(1, 4, 4)
    scores = torch.tensor([[0.9, 0.5, 0.5, 0.0]])
    ours = onnx_export.Candidates(boxes, scores, torch.ones(1, 4, dtype=torch.int64))
    swapped = ours._replace(boxes=boxes[:, [0, 2, 1, 3]])
    assert onnx_export._difference(ours, swapped) == (0, 0)
    moved = ours._replace(boxes=boxes + torch.tensor([[[0, 0, 0, 0.5]]]), scores=scores + 0.25)
    assert onnx_export._difference(ours, moved) == (0.25, 0.5)
    last = torch.tensor([0, 0, 0, 99.0])[None, :, None]
    assert onnx_export._difference(ours, ours._replace(boxes=boxes + last)) == (0, 0), "score 0"
    assert onnx_export._difference(ours, ours._replace(labels=ours.labels * 2))[1] == math.inf
    fewer = onnx_export.Candidates(*(column[:, :3] for column in ours))
    assert onnx_export._difference(ours, fewer) == (math.inf, math.inf)


def test_the_reason_stands_in_the_detectors_entry() -> None:
    without = {kind for kind, entry in DETECTORS.items() if entry.no_onnx}
    assert "faster_rcnn" in without
    assert not without & KINDS.keys()
    assert replace(DETECTORS["fcos"]).no_onnx == ""
