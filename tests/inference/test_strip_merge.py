"""Merging in strips: the same detections as one NMS over the whole image, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from midog.inference.strip_merge import StripMerge
from midog.inference.tile_plan import TilePlan
from midog.inference.tile_results import BoxArrays
from midog.tiling import merge

SIZE = (400, 1000)


def plan_of(scale: tuple[float, float]) -> tuple[TilePlan, tuple[int, int]]:
    """A plan whose image has SIZE once resampled, and the image's own size."""
    own = int(SIZE[0] / scale[0]), int(SIZE[1] / scale[1])
    return TilePlan(scale, SIZE, tile=256, overlap=64, batch_size=1), own


def at_once(reports: BoxArrays, plan: TilePlan, own: tuple[int, int], iou: float) -> BoxArrays:
    """One NMS over all boxes of the image."""
    boxes, scores, labels = reports
    boxes = np.clip(boxes, 0, [*plan.size, *plan.size])
    boxes = np.minimum(boxes / (plan.scale * 2), [*own, *own])
    keep = merge(boxes, scores, labels, iou)
    keep = keep[(boxes[keep, 2:] > boxes[keep, :2]).all(axis=1)]
    return boxes[keep], scores[keep], labels[keep]


def in_strips(
    reports: BoxArrays, steps: NDArray[np.int64], plan: TilePlan, own: tuple[int, int], iou: float
) -> BoxArrays:
    """The same boxes, row by row of tiles: a row begins at each step and reports some boxes."""
    boxes, scores, labels = reports
    row = np.searchsorted(steps, boxes[:, 1], side="right") - 1
    merging = StripMerge(plan, own, iou)
    for number in range(len(steps)):
        some = row == number
        after = steps[number + 1] if number + 1 < len(steps) else SIZE[1]
        merging.take((boxes[some], scores[some], labels[some]), int(after))
    return merging.result()


def drawn(rng: np.random.Generator, count: int, tall: int) -> BoxArrays:
    """Boxes on whole px with few different scores, so that ties and chains are common."""
    x, y = rng.integers(0, SIZE[0], count), rng.integers(0, SIZE[1], count)
    wide, high = rng.integers(0, 60, count), rng.integers(0, tall, count)
    boxes = np.stack([x, y, x + wide, y + high], axis=1).astype(np.float64)
    scores = rng.integers(1, 6, count).astype(np.float32) / np.float32(6)
    return boxes, scores, rng.integers(1, 3, count)


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 250),
    tall=st.sampled_from([2, 60, 400]),
    iou=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    scale=st.sampled_from([(1.0, 1.0), (0.5, 0.5), (0.7, 1.3)]),
    rows=st.integers(1, 30),
)
@settings(max_examples=100, deadline=None)
def test_strips_give_what_one_nms_over_the_image_gives(
    seed: int, count: int, tall: int, iou: float, scale: tuple[float, float], rows: int
) -> None:
    rng = np.random.default_rng(seed)
    reports = drawn(rng, count, tall)
    plan, own = plan_of(scale)
    steps = np.unique([0, *rng.integers(0, SIZE[1], rows)])
    expected = at_once(reports, plan, own, iou)
    result = in_strips(reports, steps, plan, own, iou)
    for column, same in zip(result, expected, strict=True):
        assert column.dtype == same.dtype
        assert column.tobytes() == same.tobytes()


def chain(length: int) -> BoxArrays:
    """Boxes down a column, of which each overlaps the next: each suppresses the one above it."""
    top = np.arange(length) * 20.0
    boxes = np.stack([np.full(length, 50.0), top, np.full(length, 90.0), top + 40], axis=1)
    scores = np.linspace(0.5, 0.9, length).astype(np.float32)
    return boxes, scores, np.ones(length, np.int64)


def test_a_chain_that_reaches_below_waits_for_its_end() -> None:
    plan, own = plan_of((1.0, 1.0))
    reports, steps = chain(40), np.arange(0, SIZE[1], 100)
    boxes, scores, _ = in_strips(reports, steps, plan, own, 0.2)
    assert boxes.tolist() == at_once(reports, plan, own, 0.2)[0].tolist()
    assert len(boxes) == 20
    assert scores[0] == np.float32(0.9)


def test_what_lies_above_the_tiles_to_come_is_merged_and_forgotten() -> None:
    plan, own = plan_of((1.0, 1.0))
    merging, rng = StripMerge(plan, own, 0.2), np.random.default_rng(0)
    waiting = []
    for top in range(0, SIZE[1] - 60, 60):
        boxes = np.tile([100.0, top, 150.0, top + 50.0], (100, 1)) + rng.uniform(0, 5, (100, 4))
        scores = rng.uniform(0.1, 0.9, 100).astype(np.float32)
        merging.take((boxes, scores, np.ones(100, np.int64)), top + 60)
        waiting.append(sum(len(part[0]) for part in merging._waiting))
    assert max(waiting) <= 100
    assert len(merging.result()[0]) == len(waiting)


def test_boxes_are_cut_to_the_image_and_empty_ones_dropped() -> None:
    plan = TilePlan((1.0, 1.0), (100, 80), tile=256, overlap=64, batch_size=1)
    merging = StripMerge(plan, (100, 80), 0.2)
    boxes = np.array([[-5.0, 10, 30, 90], [100, 0, 120, 30]])
    merging.take((boxes, np.array([0.5, 0.9], np.float32), np.ones(2, np.int64)), 80)
    kept, scores, _ = merging.result()
    assert kept.tolist() == [[0, 10, 30, 80]]
    assert scores.tolist() == [0.5]


def test_a_box_above_the_tiles_that_were_to_come_is_a_mistake() -> None:
    plan, own = plan_of((1.0, 1.0))
    merging = StripMerge(plan, own, 0.2)
    one = (np.array([[10.0, 120, 40, 150]]), np.ones(1, np.float32), np.ones(1, np.int64))
    merging.take(one, 200)
    with pytest.raises(AssertionError, match="above its tile"):
        merging.take(one, 300)


def test_an_image_without_reports() -> None:
    plan, own = plan_of((1.0, 1.0))
    assert [len(column) for column in StripMerge(plan, own, 0.2).result()] == [0, 0, 0]
