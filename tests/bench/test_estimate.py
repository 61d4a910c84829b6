"""How long a run takes: the rates that were measured times the work of the run."""

from __future__ import annotations

import pytest

from midog.bench.estimate import Estimate, estimate, estimate_lines, run_size
from midog.config.load import load_config

CONFIG = load_config(None, ["train.epochs=25", "train.validate_every=10"])
SIZE = run_size(["train", "val", "train", "test", "train", "unlabelled"], "split a")
STEP = {"step": {"detail": {"with_loader": {"patches_per_s": 0.5}}}}
INFER = {"infer": {"detail": {"seconds": 36.0}}}


def of_run(stages: dict) -> Estimate:
    return estimate(CONFIG.train, CONFIG.sampling.patches_per_roi, SIZE, stages)


def test_rois_are_counted_by_role():
    assert (SIZE.train, SIZE.val, SIZE.source) == (3, 1, "split a")


def test_training_takes_its_patches_at_the_measured_rate_and_its_validations():
    result = of_run(STEP | INFER)
    assert (result.epochs, result.patches) == (25, 30)
    assert result.training_hours == pytest.approx(25 * 30 / 0.5 / 3600)
    assert result.validation_hours == pytest.approx(3 * 1 * 36 / 3600), "the last epoch is one"
    assert result.infer_seconds == 36.0
    assert estimate_lines(result.to_dict()) == [
        "midog train: 25 min for 25 epochs of 30 patches (split a, 3 ROIs), and 1.8 min for"
        " validations",
        "midog infer: 36 s per ROI of the measured size",
    ]


def test_what_was_not_measured_is_not_estimated():
    assert estimate_lines(of_run({}).to_dict()) == []
    (line,) = estimate_lines(of_run(STEP).to_dict())
    assert line.endswith("validations not included")
