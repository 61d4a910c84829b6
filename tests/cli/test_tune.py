"""`midog tune` for several orientations (test_scores.py has the rest of it)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import Detections
from midog.evaluation import tuning
from midog.formats.challenge import write_challenge
from midog.mpp import Mpp


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "run", symlinks=True))


def find_figures(detector, rois, out: Path, *_: object) -> None:
    """Stands in for detection: the true figures, at 0.7."""
    for roi in rois:
        boxes = roi.boxes.of_class(1)
        ones = np.ones(len(boxes), np.int64)
        path = out / f"{Path(roi.file_name).stem}.json"
        write_challenge(path, Detections(boxes, ones * 0.7, ones), mpp=Mpp.of(0.25), threshold=0.5)


def test_a_threshold_for_several_orientations_stands_beside_the_other(
    midog, run, phantom, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(tuning, "detect_rois", find_figures)
    path = run / "best" / "model.json"
    before = json.loads(path.read_text())
    words = ("--model", run, "--device", "cpu", "--orientations", 2)
    image = (phantom / "images" / "001.tiff", "--out", tmp_path / "out")
    ran = midog("infer", *image, *words)
    assert "chosen without orientations: best F1 on val in training" in ran.err
    assert "this threshold was not chosen for" in ran.err
    assert midog("tune", "--data", phantom, *words).code == 0
    after = json.loads(path.read_text())
    oriented = after.pop("oriented")
    assert after == before
    assert oriented["2"]["tuned"] == {"goal": "best F1", "subset": "val", "rois": 2}
    assert oriented["2"]["threshold"] == pytest.approx(0.35)
    ran = midog("infer", *image, *words, "--overwrite")
    threshold = oriented["2"]["threshold"]
    assert f"threshold {threshold:.3f} (best F1 on 2 val ROIs, in 2 orientations)" in ran.err
    assert "this threshold" not in ran.err
