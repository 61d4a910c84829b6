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
from midog.inference.stored_threshold import LeftOutRun, Tuning, store_threshold
from midog.mpp import Mpp
from tests.spoiled import one_line


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


def test_leave_out_names_what_is_wrong_with_its_flags(midog, run, phantom, tmp_path: Path) -> None:
    words = ("tune", "--data", phantom, "--model", run, "--device", "cpu")
    assert midog(*words, "--run", run).code == 2
    assert midog(*words, "--leave-out", "scanner", "--detections", tmp_path).code == 2
    none = midog(*words, "--leave-out", "scanner", "--runs", tmp_path)
    assert "has no run without_* to choose a threshold by" in one_line(none)
    assert "or name runs with --run" in one_line(none)
    alone = midog(*words, "--leave-out", "scanner", "--run", run)
    assert "was trained on every scanner of val" in one_line(alone)


def test_evaluate_says_how_a_tuned_threshold_was_chosen(
    midog, run, phantom, tmp_path: Path
) -> None:
    used = LeftOutRun("without_b", "ab", 0, ("B",), ("1.tiff",))
    tuning = Tuning("best F1", "val", 1, "scanner", (used,))
    store_threshold(run / "best" / "model.json", 0.4, tuning, 1)
    out = tmp_path / "out"
    ran = midog(
        "infer", phantom, "--subset", "test", "--model", run, "--out", out, "--device", "cpu"
    )
    words = "best F1 on 1 val ROIs, each of a scanner left out of training: B by without_b"
    assert f"threshold 0.400 ({words})" in ran.err
    scored = midog("evaluate", out, "--data", phantom, "--resamples", 0)
    assert f"the threshold of {out} was chosen so: {words}" in scored.err
    given = midog("evaluate", out, "--data", phantom, "--resamples", 0, "--threshold", 0.5)
    assert "was chosen so" not in given.err
