"""The verifier: the same crops as in training at any mpp, its folder, any number of crops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from midog.boxes import Boxes, squares_around
from midog.config.load import load_config
from midog.data.roi import Roi
from midog.errors import WeightsError
from midog.images.image import as_image, open_image
from midog.inference.score_rule import ScoreRule
from midog.inference.verifier import (
    Verifier,
    build_classifier,
    load_verifier,
    save_verifier,
)
from midog.loading.crops import CropSource, Places
from midog.loading.rois import decode_rois
from midog.mpp import Mpp
from midog.training.tasks.registry import VerifySettings

SETTINGS = VerifySettings(body="own", maps=1, crop=32)
CPU = torch.device("cpu")


class Recording(torch.nn.Module):
    """Keeps the crops that it is shown; the log odds are the red of the middle px."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[torch.Tensor] = []

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        self.shown.append((images * 255).round().byte().permute(0, 2, 3, 1))
        return torch.stack([torch.zeros(len(images)), images[:, 0, 16, 16] * 255], 1)


def recording(mpp: float, border: str = "mirrored") -> Verifier:
    rule = ScoreRule(0, 0.5, 0.5)
    return Verifier(Recording(), 32, border, mpp, rule, 0.5, "d", CPU)


def test_a_detection_at_any_place_is_in_the_middle_of_its_crop():
    ys, xs = np.mgrid[:200, :250]
    image = as_image(np.stack([xs, ys, xs * 0], 2).astype(np.uint8), 0.25)
    centres = np.array([(100.0, 50.0), (0.0, 3.0), (249.0, 199.0), (12.4, 17.6)])
    verifier = recording(0.25)
    reds = verifier.logits(image, Mpp.of(0.25), centres)
    assert reds.tolist() == pytest.approx([100, 0, 249, 12])
    crops = verifier.network.shown[0]
    assert crops[:4, 16, 16, 1].tolist() == [50, 3, 199, 18]
    assert crops[1, 16, :16, 0].tolist() == list(range(16, 0, -1)), "mirrored"
    white = recording(0.25, "white")
    white.logits(image, Mpp.of(0.25), centres)
    assert white.network.shown[0][1, 16, 15].tolist() == [255, 255, 255]
    assert white.network.shown[0][1, 16, 16, :2].tolist() == [0, 3]


@pytest.mark.parametrize(("mpp", "border"), [(0.25, "mirrored"), (0.5, "white"), (0.2, "mirrored")])
def test_the_crops_are_those_of_the_training_to_the_byte(tmp_path, mpp, border):
    path, rng = tmp_path / "a.tiff", np.random.default_rng(0)
    tifffile.imwrite(path, rng.integers(0, 255, (310, 420, 3), dtype=np.uint8))
    points = np.array([(5, 7), (200, 150), (419, 300), (77, 309)])
    roi = Roi("a.tiff", 420, 310, Boxes(squares_around(points), [1] * 4), path, mpp=0.25)
    config = load_config(None, [f"data.mpp={mpp}", "data.cache=false"])
    decoded = decode_rois([roi], config.data, config.machine, 32)
    centres = decoded.sampled[0].boxes.xyxy.reshape(-1, 2, 2).astype(np.float64).mean(1)
    places = Places(np.zeros(4, np.int64), centres, np.ones(4, np.int64))
    source = CropSource(decoded.images, places, 32, border)
    verifier = recording(mpp, border)
    with open_image(path) as image:
        verifier.logits(image, Mpp.of(0.25), points.astype(np.float64))
    for number in range(4):
        crop = np.empty((32, 32, 3), np.uint8)
        source.cut(number, crop)
        assert np.array_equal(verifier.network.shown[0][number].numpy(), crop)


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(0)
    config = load_config(
        None, ["task.kind=verify", "task.body=own", "task.maps=1", "task.crop=32", "data.mpp=0.3"]
    )
    rule, info = ScoreRule(-0.25, 0.5, 0.75), {"epoch": 3}
    save_verifier(
        tmp_path / "v",
        build_classifier(SETTINGS),
        config,
        rule,
        threshold=0.4,
        detector="0" * 16,
        info=info,
    )
    return tmp_path / "v"


def test_it_is_loaded_as_it_was_saved(folder):
    verifier = load_verifier(folder, device="cpu")
    assert (verifier.side, verifier.border, verifier.mpp) == (32, "mirrored", 0.3)
    assert (verifier.rule, verifier.threshold) == (ScoreRule(-0.25, 0.5, 0.75), 0.4)
    assert verifier.detector == "0" * 16
    assert verifier.detector_folder is None
    torch.manual_seed(0)
    assert torch.equal(verifier.network.head.weight, build_classifier(SETTINGS).head.weight)
    assert load_verifier(folder, device="cpu").settings() == verifier.settings()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tree: tree["rule"].update(bias="much"), r"rule\.bias"),
        (lambda tree: tree.pop("rule"), "rule: Field required"),
        (lambda tree: tree.update(weights_sha256="0" * 64), "checksums differ"),
        (lambda tree: tree["config"]["task"].update(maps=2), "does not fit"),
        (lambda tree: tree.update(class_names=["a", "b"]), "has the classes"),
    ],
)
def test_a_damaged_folder_gets_one_line(folder, change, says):
    tree = json.loads((folder / "model.json").read_text())
    change(tree)
    (folder / "model.json").write_text(json.dumps(tree))
    with pytest.raises(WeightsError, match=says):
        load_verifier(folder, device="cpu")
