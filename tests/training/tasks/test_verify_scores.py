"""A verifier's validation: what detections are, the rule fitted to them, joint scores in ROIs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.boxes import Boxes, Detections, squares_around
from midog.data.roi import Roi
from midog.inference.score_rule import fit_score_rule
from midog.loading.crops import CropSource, Places
from midog.mpp import Mpp
from midog.training.tasks.verify_scores import (
    NEITHER,
    ValDetections,
    labels_of,
    validation_of,
)

MPP = Mpp.of(0.25)


def detections(points: list[tuple[float, float]], scores: list[float]) -> Detections:
    return Detections(squares_around(np.array(points)), scores, [1] * len(points))


FIGURES = squares_around(np.array([(50, 50), (200, 200)]))
ROI = Roi(
    "a.tiff",
    300,
    300,
    Boxes(FIGURES, [1, 1]),
    scanner="A",
    ignored=np.array([[240, 0, 300, 60]], np.float32),
)
POINTS = [(52, 50), (60, 50), (120, 120), (200, 170.0), (200, 170.5), (270, 30)]


def test_a_detection_is_a_figure_where_the_matching_gives_it_one():
    own = detections(POINTS, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    # the second one of a figure and one in a box to ignore are neither; 30 px are 7.5 um
    assert labels_of(own, ROI, MPP).tolist() == [1, NEITHER, 0, NEITHER, 1, NEITHER]
    assert labels_of(own, ROI, Mpp.of(0.251)).tolist() == [1, NEITHER, 0, 0, 1, NEITHER]
    assert labels_of(detections([], []), ROI, MPP).tolist() == []


def val(floor: float = 0.05) -> ValDetections:
    own = detections([(50, 50), (200, 200), (120, 120), (20, 200)], [0.6, 0.5, 0.9, 0.3])
    labels = labels_of(own, ROI, MPP)
    places = Places(np.zeros(4, np.int64), own.centers, labels)
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    crops = CropSource([pixels], places, 64, "mirrored")
    return ValDetections([ROI], [own], [MPP], labels, crops, floor, 0.4)


LOGITS = np.array([3, 2, -3, -2], np.float32)


def test_the_rule_is_fitted_and_the_threshold_is_of_the_joint_scores():
    validation = validation_of(val(), LOGITS)
    rule = fit_score_rule(np.array([0.6, 0.5, 0.9, 0.3], np.float32), LOGITS, LOGITS > 0)
    assert rule is not None
    scalars = validation.scalars
    assert [scalars[f"val/rule_{name}"] for name in ("bias", "detector", "verifier")] == [
        rule.bias,
        rule.detector,
        rule.verifier,
    ]
    joint = rule(np.array([0.5, 0.9], np.float32), np.array([2, -3], np.float32))
    assert joint[1] < scalars["val/threshold"] < joint[0]
    assert validation.score == scalars["val/f1/A"] == scalars["val/auc"] == 1
    assert scalars["val/f1_detector_alone"] == pytest.approx(4 / 5)
    assert scalars["val/loss"] == pytest.approx(np.log1p(np.exp(-np.abs(LOGITS))).mean(), rel=1e-6)


def test_what_scores_at_most_the_floor_is_no_detection():
    points = val(floor=0.5).points(np.array([0.9, 0.5, 0.7, 0.2], np.float32))
    assert points[0].scores.tolist() == pytest.approx([0.9, 0.7])
    assert val().points()[0].scores.tolist() == pytest.approx([0.6, 0.5, 0.9, 0.3])


def test_no_detections_are_no_error():
    nothing = Detections()
    places = Places(np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0, np.int64))
    crops = CropSource([], places, 64, "mirrored")
    empty = ValDetections([ROI], [nothing], [MPP], places.labels, crops, 0.05, 0.5)
    validation = validation_of(empty, np.zeros(0, np.float32))
    assert validation.score == 0
    assert validation.scalars["val/rule_detector"] == 0.5, "the mean of the odds"
    assert math.isnan(validation.scalars["val/loss"])
