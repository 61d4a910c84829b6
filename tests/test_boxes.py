"""Boxes and Detections check and freeze what they hold."""

from __future__ import annotations

import numpy as np
import pytest

from midog.boxes import Boxes, Detections, centers_of, squares_around


def test_empty_boxes_have_the_right_shapes():
    assert Boxes().xyxy.shape == (0, 4)
    assert Boxes([], []).of_class(1).shape == (0, 4)
    assert len(Detections([], [], [])) == 0
    assert Detections().centers.shape == (0, 2)


@pytest.mark.parametrize(
    ("boxes", "labels", "message"),
    [
        ([[0, 0, 1]], [1], "must be \\(N, 4\\)"),
        ([[0, 0, np.nan, 1]], [1], "box 0 is not finite"),
        ([[0, 0, 1, 1], [5, 0, 1, 1]], [1, 1], "box 1"),
        ([[0, 0, 1, 1]], [1, 2], "labels must be"),
    ],
)
def test_wrong_boxes_are_refused(boxes, labels, message):
    with pytest.raises(ValueError, match=message):
        Boxes(boxes, labels)


def test_scores_outside_0_to_1_are_refused():
    with pytest.raises(ValueError, match="scores"):
        Detections([[0, 0, 1, 1]], [1.5], [1])
    with pytest.raises(ValueError, match="scores"):
        Detections([[0, 0, 1, 1]], [np.nan], [1])


def test_arrays_are_copied_and_cannot_be_written():
    given = np.array([[0, 0, 2, 2]], np.float32)
    boxes = Boxes(given, [1])
    given[0, 0] = 1
    assert boxes.xyxy[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        boxes.xyxy[0, 0] = 1


def test_selections_keep_what_belongs_together():
    detections = Detections([[0, 0, 2, 2], [4, 4, 8, 8], [1, 1, 2, 2]], [0.2, 0.7, 0.9], [1, 2, 1])
    assert detections.at_least(0.7).scores.tolist() == pytest.approx([0.7, 0.9], abs=1e-6)
    assert detections.figures().boxes[:, 0].tolist() == [0, 1]
    assert detections.select(np.array([2, 0])).labels.tolist() == [1, 1]


def test_a_score_at_the_threshold_counts():
    detections = Detections([[0, 0, 1, 1]], [0.1], [1])
    assert len(detections.at_least(0.1)) == 1


def test_centres_keep_half_pixels_and_squares_surround_them():
    boxes = squares_around([[4361.5, 371], [10, 20]])
    assert boxes.dtype == np.float32
    assert boxes[0].tolist() == [4336.5, 346, 4386.5, 396]
    assert centers_of(boxes).tolist() == [[4361.5, 371], [10, 20]]
    assert centers_of(boxes).dtype == np.float64


@pytest.mark.parametrize(("labels", "has"), [([], False), ([2, 2], False), ([2, 1], True)])
def test_boxes_know_whether_a_figure_is_among_them(labels, has):
    assert Boxes(np.tile([0, 0, 9, 9], (len(labels), 1)), labels).has_figures is has
