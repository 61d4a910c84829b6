"""Points of an ROI: from boxes, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.boxes import Boxes, Detections, squares_around
from midog.metrics.points import centres_mm, mm_of_px, points_from_boxes, px_of_mm
from tests.metrics.cases import roi


@pytest.mark.parametrize("scores", [[0.5], [0.5, math.nan], [[0.5, 0.5]]])
def test_scores_that_do_not_fit_the_points_are_refused(scores) -> None:
    with pytest.raises(ValueError, match="scores"):
        roi([], [(0, 0), (1, 1)], scores)


def test_points_from_boxes_are_the_centres_of_the_mitotic_figures_in_mm() -> None:
    squares = squares_around([(100, 200), (300, 300)])
    truth = Boxes(squares, [2, 1])
    points = points_from_boxes(truth, Detections(squares, [0.9, 0.4], [1, 2]), 0.25)
    assert points.truth_mm.tolist() == [[0.075, 0.075]]
    assert points.detected_mm.tolist() == [[0.025, 0.05]]
    assert points.scores.tolist() == [np.float32(0.9)]
    assert points.scores.dtype == np.float64


def test_each_axis_has_its_own_mpp_there_and_back() -> None:
    squares, mpp = squares_around([(7000, 5000)]), (0.25, 0.2524)
    assert centres_mm(squares, mpp).tolist() == [[7000 * 0.25 / 1000, 5000 * 0.2524 / 1000]]
    back = px_of_mm(mm_of_px(np.array([[7000.0, 5000.0]]), mpp), mpp)
    assert back.tolist() == [[7000, 5000]]
    assert np.isnan(px_of_mm(np.zeros((1, 2)), None)).all()


def test_without_an_mpp_there_are_no_points() -> None:
    assert centres_mm(squares_around([(100, 200)]), None).shape == (0, 2)
