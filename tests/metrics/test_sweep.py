"""The sweep, against counting anew at every threshold."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.metrics.counts import counts_at
from midog.metrics.matching import match_points
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import sweep
from midog.metrics.thresholds import best_threshold
from tests.metrics.cases import crowded_rois, parity_rois, roi, scattered_rois


def assert_sweep_is_the_plain_rule(rois: list[RoiPoints]) -> None:
    swept = sweep(rois)
    scores = np.concatenate([each.scores for each in rois]) if rois else np.zeros(0)
    assert swept.thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    for at, threshold in enumerate(swept.thresholds):
        plain = counts_at(rois, threshold)
        assert (swept.tp[at], swept.fp[at], swept.fn[at]) == (
            plain.tp,
            plain.fp,
            plain.fn,
        ), threshold


@settings(max_examples=150, deadline=None)
@given(st.lists(crowded_rois(), max_size=3))
def test_sweep_equals_the_plain_rule_on_crowded_points_with_ties(rois) -> None:
    assert_sweep_is_the_plain_rule(rois)


@settings(max_examples=100, deadline=None)
@given(st.lists(scattered_rois(), max_size=3))
def test_sweep_equals_the_plain_rule_on_scattered_points(rois) -> None:
    assert_sweep_is_the_plain_rule(rois)


def random_rois(random: np.random.Generator) -> list[RoiPoints]:
    """One to three ROIs: crowded on a grid of mm that floats hold exactly, or scattered; with
    points that stand twice.

    Found points lie on figures, near them or anywhere; scores are all different, or of a few
    values, or all equal.
    """
    rois = []
    for _ in range(random.integers(1, 4)):
        n, m = random.integers(0, 11), random.integers(0, 21)
        truth, detected = random.integers(0, 10, (n, 2)) / 512, random.integers(0, 10, (m, 2)) / 512
        if random.random() < 0.3:
            truth, detected = random.uniform(0, 0.03, (n, 2)), random.uniform(0, 0.03, (m, 2))
        if n:
            detected = np.where(
                random.random((m, 1)) < 0.3, truth[random.integers(0, n, m)], detected
            )
            truth = np.where(random.random((n, 1)) < 0.2, truth[random.integers(0, n, n)], truth)
        scores = random.choice(
            [random.random(m), random.integers(1, 5, m) / 5, np.full(m, 0.5)], p=[0.45, 0.45, 0.1]
        )
        rois.append(RoiPoints(truth, detected, scores))
    return rois


def test_sweep_equals_the_plain_rule_on_2000_random_cases() -> None:
    moved = 0
    for seed in range(2000):
        rois = random_rois(np.random.default_rng(seed))
        assert_sweep_is_the_plain_rule(rois)
        moved += any(figures_move(each) for each in rois)
    assert (
        moved > 1000
    )  # cases in which a figure gives up a point for a newcomer: what the sweep must follow


def figures_move(each: RoiPoints) -> bool:
    """Does a figure that has a point at some threshold have another one, or none, at a lower
    threshold?"""
    had = np.full(len(each.truth_mm), -1)
    for threshold in sorted(set(each.scores.tolist()), reverse=True):
        kept = np.flatnonzero(each.scores >= threshold)
        taken = match_points(each.truth_mm, each.detected_mm[kept]).truth_to_detection
        has = np.where(taken >= 0, kept[taken], -1)
        if ((had >= 0) & (has != had)).any():
            return True
        had = has
    return False


def test_sweep_equals_the_plain_rule_where_one_newcomer_moves_many() -> None:
    # A row of figures 20 px apart and points between them: each newcomer pushes its neighbours
    # along the row.
    random = np.random.default_rng(3)
    row = roi(
        [(20 * k, 0) for k in range(60)],
        [(20 * k + 9, 0) for k in range(-1, 61)],
        random.permutation(62) / 62,
    )
    assert_sweep_is_the_plain_rule([row])


def test_sweep_breaks_ties_as_the_plain_rule_does() -> None:
    # Both points are as near to the first figure; the second figure reaches only the later one.
    step = 1 / 512
    truth, detected = [(0, 0), (4 * step, 0)], [(-2 * step, 0), (2 * step, 0)]
    for scores in ([0.9, 0.8], [0.8, 0.9]):
        rois = [RoiPoints(truth, detected, scores)]
        assert sweep(rois).tp.tolist() == [1, 2]
        assert_sweep_is_the_plain_rule(rois)
    assert sweep([RoiPoints(truth, detected[::-1], [0.9, 0.8])]).tp.tolist() == [1, 1]


def test_sweep_ratios() -> None:
    swept = sweep([roi([(0, 0), (500, 0)], [(0, 0), (200, 0)], [0.9, 0.8])])
    assert swept.precision.tolist() == [1, 0.5]
    assert swept.recall.tolist() == [0.5, 0.5]
    assert swept.f1.tolist() == [2 / 3, 0.5]


def test_sweep_of_nothing() -> None:
    assert sweep([]).thresholds.shape == (0,)
    swept = sweep([roi([(0, 0)], [], [])])
    assert (len(swept.f1), swept.figures) == (0, 1)
    swept = sweep([roi([], [(0, 0)], [0.7])])
    assert (swept.tp.tolist(), swept.fp.tolist(), swept.fn.tolist()) == ([0], [1], [0])
    assert np.isnan(swept.recall).all()


def test_sweep_equals_the_plain_rule_on_the_fields_points(parity) -> None:
    rois = parity_rois(parity, "Leica GT450")
    assert_sweep_is_the_plain_rule(rois)
    swept = sweep(rois)
    assert counts_at(rois, best_threshold(swept)).f1 == swept.f1.max()
