"""Boxes to ignore: what lies in them counts neither way, unless a figure might match it."""

from __future__ import annotations

import numpy as np
import pytest

from midog.metrics.ignored import is_ignored, without_ignored
from midog.metrics.points import RoiPoints
from midog.mpp import Mpp

BOX = np.array([[100, 100, 200, 150]], np.float32)


@pytest.mark.parametrize(
    ("px", "spared"),
    [
        ((150, 125), True),
        ((100, 100), True),
        ((200, 150), True),
        ((201, 150), False),
        ((150, 154), True),  # outside, but within 30 px of the centre
        ((150, 156), False),
        ((20, 20), False),
    ],
)
def test_a_detection_in_a_box_or_near_its_centre_counts_neither_way(
    px: tuple[float, float], spared: bool
) -> None:
    detected = np.array([px]) * 0.25 / 1000
    assert is_ignored(detected, np.zeros((0, 2)), BOX, 0.25).tolist() == [spared]


def test_a_detection_that_a_figure_might_match_counts() -> None:
    detected = np.array([[150, 125], [150, 126], [110, 110]]) * 0.25 / 1000
    truth = np.array([[160, 125]]) * 0.25 / 1000
    assert is_ignored(detected, truth, BOX, 0.25).tolist() == [False, False, True]
    points = without_ignored(RoiPoints(truth, detected, np.array([0.9, 0.8, 0.7])), BOX, 0.25)
    assert points.scores.tolist() == [0.9, 0.8]


def test_px_need_not_be_square() -> None:
    detected = np.array([[150 * 0.25, 125 * 0.5]]) / 1000
    assert is_ignored(detected, np.zeros((0, 2)), BOX, Mpp.of(0.25, 0.5)).all()
    assert not is_ignored(detected, np.zeros((0, 2)), BOX, 0.25).any()


def test_nothing_is_ignored_without_boxes_detections_or_mpp() -> None:
    none, detected = np.zeros((0, 2)), np.array([[0.03, 0.03]])
    points = RoiPoints(none, detected, np.array([0.5]))
    assert without_ignored(points, BOX[:0], 0.25) is points
    assert is_ignored(none, none, BOX, 0.25).tolist() == []
    assert is_ignored(detected, none, BOX, None).tolist() == [False]
