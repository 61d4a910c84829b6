"""The threshold for calibrated scores, stored with the level, beside the model's other ones."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from midog.boxes import Boxes
from midog.data.folder import read_rois
from midog.errors import DetectionsError, WeightsError
from midog.evaluation.calibrated_tuning import tune_calibrated
from midog.evaluation.goals import Goal
from midog.inference import calibration
from midog.inference.detector import Detector
from tests.spoiled import one_line


@pytest.fixture
def own(model, tmp_path, monkeypatch):
    """A copy of the trained model; the phantom's ROIs are small."""
    monkeypatch.setattr(calibration, "LEAST_FIELDS", 4)
    shutil.copytree(model / "best", tmp_path / "own")
    return tmp_path / "own"


def test_level_and_threshold_are_stored_and_taken_where_they_are_asked_for(
    midog, own, phantom, tmp_path
):
    plain = Detector.load(own, device="cpu")
    line = one_line(midog("infer", phantom, "--model", own, "--calibrate", "--out", tmp_path / "d"))
    assert "has no reference to calibrate scores by; make one with `midog tune --cali" in line
    rois, done = read_rois(phantom), []
    tuned = tune_calibrated(
        own, rois, Goal(), device="cpu", on_image=lambda name, figures: done.append(figures is None)
    )
    val = sum(roi.split == "val" for roi in rois)
    assert done == [True] * val + [False] * val
    assert (tuned.rois, tuned.before) == (val, plain.threshold)
    tree = json.loads((own / "model.json").read_text())
    assert tree["calibrated"]["threshold"] == tuned.threshold
    assert tree["threshold"] == plain.threshold
    moved = Detector.load(own, device="cpu", calibrate=True)
    assert (moved.threshold, moved.threshold_is_tuned) == (tuned.threshold, True)
    assert moved.threshold_from == f"best F1 on {val} val ROIs, scores calibrated"
    assert moved.calibration is not None
    again = Detector.load(own, device="cpu")
    assert (again.threshold, again.calibration) == (plain.threshold, None)
    assert again.settings() == plain.settings()
    ran = midog(
        "infer", phantom, "--subset", "val", "--model", own, "--calibrate", "--out", tmp_path / "d"
    )
    assert ran.code == 0, ran.err
    assert "scores calibrated" in ran.err


def test_a_val_part_without_figures_is_told_before_anything_is_read(phantom):
    rois = [replace(one, boxes=Boxes()) for one in read_rois(phantom)]
    with pytest.raises(DetectionsError, match="no ROI of val has a mitotic figure"):
        tune_calibrated("nowhere", rois, Goal())


def test_a_model_of_other_data_is_refused_and_stays(own, phantom):
    before = (own / "model.json").read_bytes()
    rois = [roi for roi in read_rois(phantom) if roi.split != "train"]
    with pytest.raises(DetectionsError, match="are not those that the model was trained from"):
        tune_calibrated(own, rois, Goal(), device="cpu")
    with pytest.raises(WeightsError):
        tune_calibrated(own.parent / "none", rois, Goal(), device="cpu")
    assert (own / "model.json").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["tune", "--calibrate", "--leave-out", "scanner"],
        ["tune", "--calibrate", "--detections", "d"],
        ["infer", "x.tiff", "--calibrate", "--verifier", "v"],
    ],
    ids=" ".join,
)
def test_what_does_not_go_together_is_a_wrong_command(midog, words):
    ran = midog(*words)
    assert ran.code == 2
    assert "--calibrate" in ran.err
