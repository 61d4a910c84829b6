"""Results of tiles: moved to the image, suppressed tile by tile, none where there are none."""

from __future__ import annotations

import numpy as np
import torch

from midog.inference.tile_plan import TilePlan
from midog.inference.tile_results import joined, place_tiles
from midog.models.protocol import Candidates

PLAN = TilePlan(scale=1.0, size=(448, 256), tile=256, overlap=64, batch_size=3)


def tiles(*boxes: tuple[float, float, float, float]) -> Candidates:
    """The same candidates in three tiles, the first one best."""
    xyxy = torch.tensor(boxes, dtype=torch.float32).reshape(1, -1, 4).repeat(3, 1, 1)
    scores = torch.linspace(0.9, 0.5, len(boxes)).repeat(3, 1)
    return Candidates(xyxy, scores, torch.ones_like(scores).long())


def test_boxes_are_moved_by_their_tiles_corner_and_filling_is_left_out() -> None:
    candidates = tiles((100, 100, 150, 150))
    boxes, scores, labels = place_tiles(
        candidates, PLAN.places(), PLAN, nms_iou=0.2, max_detections=10
    )
    assert boxes.tolist() == [[100, 100, 150, 150], [292, 100, 342, 150]]
    assert boxes.dtype == np.float64
    assert (scores.dtype, labels.dtype) == (np.float32, np.int64)
    assert len(scores) == len(labels) == 2


def test_overlapping_boxes_and_those_that_a_neighbour_shows_whole_are_dropped() -> None:
    candidates = tiles((100, 100, 150, 150), (102, 100, 152, 150), (230, 100, 256, 150))
    boxes, _, _ = place_tiles(candidates, PLAN.places(), PLAN, nms_iou=0.2, max_detections=10)
    assert boxes.tolist() == [
        [100, 100, 150, 150],
        [292, 100, 342, 150],
        [422, 100, 448, 150],
    ]


def test_at_most_so_many_detections_of_a_tile() -> None:
    candidates = tiles((100, 20, 150, 70), (100, 100, 150, 150))
    boxes, _, _ = place_tiles(candidates, PLAN.places()[:1], PLAN, nms_iou=0.2, max_detections=1)
    assert boxes.tolist() == [[100, 20, 150, 70]]


def test_no_parts_join_to_empty_arrays() -> None:
    assert [column.shape for column in joined([])] == [(0, 4), (0,), (0,)]
