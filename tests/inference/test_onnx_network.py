"""ONNX files as models: what stands in a network's place, and files that do not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from midog.errors import ConfigError, DeviceError, WeightsError
from midog.inference.detector import Detector
from midog.inference.network import TorchBackend
from midog.inference.onnx_export import export_onnx
from midog.inference.onnx_network import OnnxBackend, card_of, read_onnx
from midog.models import backbone_registry
from tests.inference.test_onnx_export import save

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'midog[onnx]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'midog[onnx]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save("centroid", tmp_path_factory.mktemp("centroid") / "best", tile=64)


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    return export_onnx(folder, folder.parent / "model.onnx").path


@pytest.fixture
def file(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    for path in (written, card_of(written)):
        shutil.copy(path, tmp_path)
    return tmp_path / written.name


def test_candidates_are_those_of_torch_over_any_floor(folder: Path, written: Path) -> None:
    network = Detector.load(folder, device="cpu").model
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    own = TorchBackend(network, torch.device("cpu"), "32-true").start(images, 0.3)()
    other = OnnxBackend(written, 1).start(images.flip(0).flip(0), 0.3)()
    torch.testing.assert_close(other.scores, own.scores, atol=1e-5, rtol=0)
    assert ((own.scores == 0) | (own.scores > 0.3)).all()
    assert ((other.scores == 0) == (own.scores == 0)).all()
    assert other.boxes.dtype == torch.float32
    assert other.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"tile": 128}, ConfigError, "takes tiles of 64 px, not 128"),
        ({"precision": "bf16"}, ConfigError, "computes in float32, not bf16"),
    ],
)
def test_other_tiles_and_precisions_are_refused(
    written: Path, settings: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        Detector.load(written, overlap=16, **settings)


def test_it_runs_on_the_cpu_alone(written: Path) -> None:
    network, config, _ = read_onnx(written)
    with pytest.raises(DeviceError, match="runs on the CPU, not on meta"):
        network.check(config.inference, "32-true", torch.device("meta"))
    assert Detector.load(written).device.type == "cpu"


def test_it_does_nothing_but_detect(written: Path, tmp_path: Path) -> None:
    detector = Detector.load(written)
    images = torch.rand(1, 3, 64, 64)
    for use in (
        lambda: detector.save(tmp_path / "copy"),
        lambda: detector.model.features(images),
        lambda: detector.model.detections(images, 0.5),
        lambda: detector.model.candidates(images, 0.5),
        lambda: detector.model(images, {}),
        lambda: detector.model.for_detection(torch.float32),
    ):
        with pytest.raises(WeightsError, match="detects, and does nothing else"):
            use()
    detector.model.compile_parts()
    assert not (tmp_path / "copy").exists()


def test_files_that_do_not_fit_each_other_are_refused(file: Path) -> None:
    card = card_of(file)
    tree = json.loads(card.read_text())

    def refused(words: str) -> None:
        with pytest.raises(WeightsError, match=words):
            Detector.load(file)

    card.write_text(json.dumps({key: value for key, value in tree.items() if key != "onnx"}))
    refused(r"model\.onnx\.json: onnx")
    card.write_text(json.dumps(tree))
    content = file.read_bytes()
    file.write_bytes(content[:-9])
    refused("is not the file that .* was written with")
    card.unlink()
    refused(r"model\.onnx\.json does not exist")
    file.unlink()
    refused(r"model\.onnx cannot be read")


def test_a_file_of_something_else_is_refused(file: Path) -> None:
    file.write_bytes(b"no graph")
    with pytest.raises(WeightsError, match="is not read by onnxruntime"):
        OnnxBackend(file, 1)


def test_it_is_used_alone(written: Path, folder: Path) -> None:
    with pytest.raises(WeightsError, match="an ONNX file is used alone"):
        Detector.load([written, folder])


def test_without_onnxruntime_a_line_says_what_to_install(written: Path, monkeypatch) -> None:
    monkeypatch.setattr(backbone_registry, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs onnxruntime, which is not installed"):
        Detector.load(written)
