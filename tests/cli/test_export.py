"""`midog export` as typed, and detection with what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.spoiled import one_line

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'midog[onnx]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'midog[onnx]'")


def test_a_run_is_exported_and_detects_as_it_does(midog, model, phantom, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    ran = midog("export", "onnx", model, "--out", file, "--tile", 256)
    assert (ran.code, ran.out) == (0, f"{file}\n"), ran.err
    assert "tiles of 256 px" in ran.err
    image = phantom / "images" / "001.tiff"
    trees = []
    for name, folder in (("onnx", file), ("torch", model)):
        words = ("--model", folder, "--out", tmp_path / name, "--device", "cpu")
        ran = midog("infer", image, *words)
        assert ran.code == 0, ran.err
        trees.append(json.loads((tmp_path / name / "001.json").read_text())["points"])
    ours, theirs = (sorted(point["probability"] for point in points) for points in trees)
    assert ours == pytest.approx(theirs, abs=1e-4)
    # a folder of one runtime's detections is not filled by another
    assert "runtime" in one_line(
        midog("infer", image, "--model", file, "--out", tmp_path / "torch", "--device", "cpu")
    )
    assert "takes tiles of 256 px" in one_line(
        midog("infer", image, "--model", file, "--out", tmp_path / "x", "--tile", 128)
    )
    assert "no model folder" in one_line(midog("export", "onnx", tmp_path / "none"))
    assert "choose another --out" in one_line(midog("export", "onnx", model, "--out", "a.pt"))
