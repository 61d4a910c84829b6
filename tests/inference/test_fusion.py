"""Fusion: the formula, one view as it is, and no difference by the order of the views."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.boxes import squares_around
from midog.inference.fusion import fuse
from midog.mpp import Mpp

MPP = Mpp.of(0.25)


def view(*rows: tuple[float, float, float], label: int = 1, side: float = 50) -> tuple:
    """Boxes of x y score."""
    points = np.array([row[:2] for row in rows]).reshape(-1, 2)
    scores = np.array([row[2] for row in rows], dtype=np.float32)
    boxes = squares_around(points, side).astype(np.float64)
    return boxes, scores, np.full(len(rows), label, dtype=np.int64)


def fused(*views: tuple, floor: float = 0.05, mpp: Mpp = MPP) -> tuple:
    return fuse(views, mpp, 0.3, floor)


def test_one_view_is_returned_as_it_is() -> None:
    one = view((100, 100, 0.03), (101, 100, 0.9))
    assert fused(one) is one


def test_scores_are_summed_over_the_number_of_views_and_boxes_weighted() -> None:
    one, two, three = view((100, 100, 0.9)), view((110, 100, 0.3)), view((400, 400, 0.6))
    boxes, scores, labels = fused(one, two, three)
    assert scores == pytest.approx([1.2 / 3, 0.6 / 3])
    assert boxes[0] == pytest.approx([77.5, 75, 127.5, 125])  # (0.9 * 100 + 0.3 * 110) / 1.2
    assert boxes[1].tolist() == three[0][0].tolist()
    assert (scores.dtype, labels.tolist()) == (np.float32, [1, 1])


@pytest.mark.parametrize(("x", "figures"), [(130, 1), (130.5, 2)])
def test_within_7_5_um_it_is_one_figure(x: float, figures: int) -> None:
    one = view((100, 100, 0.9), side=10)
    assert len(fused(one, view((x, 100, 0.8), side=10))[1]) == figures
    oblong, down = Mpp.of(0.25, 0.5), view((100, 100 + (x - 100) / 2, 0.8), side=10)
    assert len(fused(one, down, mpp=oblong)[1]) == figures


def test_a_view_counts_once_and_the_nearest_is_taken() -> None:
    one = view((100, 100, 0.9))
    two = view((104, 100, 0.5), (76, 100, 0.8), side=20)
    boxes, scores, _ = fused(one, two)
    assert scores == pytest.approx([0.7, 0.4])
    assert boxes[1] == pytest.approx([66, 90, 86, 110])


def test_classes_stay_apart() -> None:
    _, scores, labels = fused(view((100, 100, 0.9)), view((100, 100, 0.8), label=2))
    assert scores == pytest.approx([0.45, 0.4])
    assert labels.tolist() == [1, 2]


def test_what_falls_to_the_floor_is_dropped_and_no_view_may_see_anything() -> None:
    nothing = view()
    assert len(fused(view((9, 9, 0.15)), nothing, nothing)[1]) == 0
    assert len(fused(view((9, 9, 0.16)), nothing, nothing)[1]) == 1
    assert [len(column) for column in fused(nothing, nothing)] == [0, 0, 0]


def test_figures_that_overlap_once_fused_are_one() -> None:
    one, two = view((100, 100, 0.9), (128, 100, 0.2), side=40), view((134, 100, 0.9), side=40)
    _, scores, _ = fused(one, two)
    assert scores == pytest.approx([0.55, 0.45])
    wide = view((100, 100, 0.9), side=140), view((134, 100, 0.8), side=140)
    assert fused(*wide)[1] == pytest.approx([0.45])


POINT = st.tuples(
    st.integers(0, 40).map(lambda x: 5.0 * x),
    st.integers(0, 20).map(lambda y: 5.0 * y),
    st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]),
)


def scattered(rows: list[tuple[float, float, float]]) -> tuple:
    """A view of which no two boxes overlap by over 0.3."""
    from midog.tiling import merge

    boxes, scores, labels = view(*rows)
    keep = merge(boxes, scores, labels, 0.3)
    return boxes[keep], scores[keep], labels[keep]


@given(st.lists(st.lists(POINT, max_size=8).map(scattered), min_size=2, max_size=4))
def test_the_order_of_views_makes_no_difference_to_the_bit(views: list[tuple]) -> None:
    first = fused(*views)
    for order in itertools.permutations(views):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(fused(*order), first, strict=True))


@given(st.lists(POINT, max_size=8).map(scattered), st.integers(2, 4))
def test_equal_views_agree_with_themselves(one: tuple, number: int) -> None:
    boxes, scores, _ = fused(*[one] * number)
    expected = fuse([one, one], MPP, 0.3, 0.0)
    assert scores == pytest.approx(one[1][: len(scores)])
    assert len(scores) == len(one[1]) == len(expected[1])
    assert boxes == pytest.approx(one[0])
