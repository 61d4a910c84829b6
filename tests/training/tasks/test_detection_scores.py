"""Scores of a validation: one threshold for all ROIs, counts by scanner, and the curve."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics.points import RoiPoints
from midog.metrics.sweep import sweep
from midog.training.tasks.detection_scores import CURVE_POINTS, precision_recall, score

NOTHING = np.zeros((0, 2))
TWO = np.array([[0.0125, 0.0125], [0.0375, 0.0625]])


def test_one_threshold_serves_all_and_scanners_are_scored_at_it():
    points = [
        RoiPoints(TWO, TWO, np.array([0.8, 0.8])),
        RoiPoints(TWO[:1], TWO, np.array([0.8, 0.8])),
    ]
    validation = score(points, ["A", ""], {"loss": 2.0})
    scalars = validation.scalars
    assert validation.score == scalars["val/f1"] == pytest.approx(6 / 7)
    assert (scalars["val/precision/A"], scalars["val/recall/A"]) == (1, 1)
    assert scalars["val/precision/unknown"] == 0.5
    assert scalars["val/loss"] == 2.0
    assert list(scalars)[:2] == ["val/loss", "val/threshold"]
    assert 0 < scalars["val/threshold"] <= 0.8
    assert validation.line.startswith("val loss 2.000  F1 0.857 at ")


def test_nothing_to_score_is_nan_and_shown_as_a_dash():
    validation = score([RoiPoints(NOTHING, NOTHING, np.zeros(0))], ["A"], {"loss": 1.0})
    assert math.isnan(validation.score)
    assert "F1 - at" in validation.line
    assert validation.curve is None


def test_the_curve_falls_to_nothing_beyond_the_highest_score():
    curve = precision_recall(sweep([RoiPoints(TWO, TWO, np.array([0.9, 0.4]))]))
    assert len(curve.tp) == len(curve.recall) == CURVE_POINTS
    assert (curve.tp[0], curve.fn[0], curve.recall[0]) == (2, 0, 1)
    assert (curve.tp[-1], curve.fn[-1], curve.precision[-1]) == (0, 2, 0)
    assert precision_recall(sweep([RoiPoints(TWO, NOTHING, np.zeros(0))])) is None
