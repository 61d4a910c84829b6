"""Thresholds for F1, a precision or a rate of false positives: by hand, and against every threshold
there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.metrics.counts import counts_at
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import sweep
from midog.metrics.thresholds import (
    best_threshold,
    highest_precision,
    lowest_fp_rate,
    threshold_at_fp_rate,
    threshold_at_precision,
)
from tests.metrics.cases import crowded_rois, roi, scattered_rois


def row(matched: str, scores: list[float], figures: int | None = None) -> RoiPoints:
    """Points far apart, 'x' on a figure and '.' on nothing; `figures` in all, the others missed."""
    detected = [(float(at), 0.0) for at in range(len(matched))]
    truth = [xy for xy, hit in zip(detected, matched, strict=True) if hit == "x"]
    truth += [(float(at), 9.0) for at in range((figures or len(truth)) - len(truth))]
    return RoiPoints(truth, detected, scores)


@st.composite
def some_rois(draw) -> list[RoiPoints]:
    point = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda xy: (xy[0] / 512, xy[1] / 512)
    )  # mm
    score = st.one_of(st.integers(0, 10).map(lambda tenth: tenth / 10), st.floats(0, 1))
    rois = []
    for _ in range(draw(st.integers(0, 3))):
        detected = draw(st.lists(st.tuples(point, score), max_size=14))
        rois.append(
            RoiPoints(
                draw(st.lists(point, max_size=8)),
                [xy for xy, _ in detected],
                [s for _, s in detected],
            )
        )
    return rois


def all_counts(rois: list[RoiPoints]):
    """By `counts_at`: counts at every t in (0, 1] that differs from another."""
    scores = {score for roi in rois for score in roi.scores.tolist() if score > 0}
    return [counts_at(rois, t) for t in (*scores, 1.0)]


# --- F1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(crowded_rois(), scattered_rois()), max_size=3))
def test_best_threshold_has_the_best_f1_of_all_thresholds(rois) -> None:
    swept = sweep(rois)
    best = best_threshold(swept)
    assert 0 < best <= 1
    above_zero = swept.thresholds[swept.thresholds > 0]
    all_f1 = [counts_at(rois, t).f1 for t in (*above_zero, 1.0)]
    if swept.figures:
        assert counts_at(rois, best).f1 == max(all_f1)


def test_best_threshold_is_the_middle_of_the_widest_best_range() -> None:
    figures = [(0, 0), (200, 0)]
    # F1: 0 on (0.9, 1], 2/3 on (0.8, 0.9], 1 on (0.3, 0.8], 0.8 on (0, 0.3]
    swept = sweep([roi(figures, [(0, 0), (200, 0), (400, 0)], [0.9, 0.8, 0.3])])
    assert best_threshold(swept) == pytest.approx(0.55)
    # Equal F1 on (0.5, 0.9], with one of two, and on (0, 0.1], with both and two false alarms: the
    # wider one wins.
    swept = sweep([roi(figures, [(0, 0), (400, 0), (600, 0), (200, 0)], [0.9, 0.5, 0.4, 0.1])])
    assert swept.f1[0] == swept.f1[-1] == 2 / 3
    assert best_threshold(swept) == pytest.approx(0.7)


def test_best_threshold_joins_neighbouring_ranges_of_equal_f1() -> None:
    # One hit and one more false alarm at 0.6 keep F1 at 2/3: 2 / (2 + 0 + 1), then 4 / (4 + 2 + 0).
    swept = sweep(
        [roi([(0, 0), (200, 0)], [(0, 0), (200, 0), (400, 0), (600, 0)], [0.8, 0.6, 0.6, 0.6])]
    )
    assert swept.f1.tolist() == [2 / 3, 2 / 3]
    assert best_threshold(swept) == pytest.approx(0.4)  # the middle of (0, 0.8]


@pytest.mark.parametrize(
    "rois",
    [
        [],
        [roi([], [], [])],
        [roi([], [(0, 0)], [0.9])],
        [roi([(0, 0)], [], [])],
        [roi([(0, 0)], [(300, 0)], [0.9])],
    ],
    ids=["no ROI", "empty ROI", "no figure", "no point", "no hit"],
)
def test_best_threshold_is_one_half_where_none_is_better_than_another(rois) -> None:
    assert best_threshold(sweep(rois)) == 0.5


def test_best_threshold_between_neighbouring_floats_still_separates_them() -> None:
    low, high = 0.5, np.nextafter(0.5, 1)  # their middle rounds to the lower
    rois = [roi([(0, 0), (900, 900)], [(0, 0), (300, 0), (600, 0)], [high, low, low])]
    rois += [roi([(0, 0)], [(0, 0)], [high]), roi([], [(0, 0)], [1.0])]
    assert counts_at(rois, best_threshold(sweep(rois))) == counts_at(rois, high)


def test_scores_of_any_scale_leave_the_best_threshold_in_its_range() -> None:
    assert best_threshold(sweep([roi([(0, 0)], [(0, 0), (300, 0)], [7.5, -2.0])])) == 0.5


# --- precision


def test_highest_recall_of_the_precise_ones_although_a_threshold_between_is_not() -> None:
    # precision 1, 1/2, 2/3, 3/4, 3/5 from the highest score on
    swept = sweep([row("x.xx.", [0.9, 0.8, 0.6, 0.4, 0.2])])
    assert threshold_at_precision(swept, 0.75) == pytest.approx(0.3)  # the middle of (0.2, 0.4]
    assert threshold_at_precision(swept, 0.76) == pytest.approx(0.85)
    assert threshold_at_precision(swept, 1.0) == pytest.approx(0.85)


def test_of_equal_recall_the_highest_precision_is_taken() -> None:
    swept = sweep([row("xx..", [0.9, 0.8, 0.4, 0.2])])  # 2 hits; with 0, 1 or 2 false alarms
    assert threshold_at_precision(swept, 0.5) == pytest.approx(0.6)


def test_the_last_step_reaches_down_to_zero() -> None:
    assert threshold_at_precision(sweep([row("xx", [0.9, 0.8])]), 1.0) == pytest.approx(0.4)


def test_no_threshold_has_the_precision() -> None:
    assert threshold_at_precision(sweep([row(".x", [0.9, 0.8])]), 0.51) is None
    assert threshold_at_precision(sweep([row("..", [0.9, 0.8], figures=2)]), 0.01) is None


@pytest.mark.parametrize("rois", [[], [row("", [], figures=2)]], ids=["no ROI", "no point"])
def test_without_points_no_threshold_has_a_precision(rois) -> None:
    assert threshold_at_precision(sweep(rois), 0.0) is None


def test_without_figures_only_the_precision_zero_is_had() -> None:
    swept = sweep([row("..", [0.9, 0.5])])
    assert threshold_at_precision(swept, 0.1) is None
    assert threshold_at_precision(swept, 0.0) == pytest.approx(0.7)


@given(some_rois(), st.one_of(st.sampled_from([0.0, 0.5, 2 / 3, 1.0]), st.floats(0, 1)))
def test_no_precise_threshold_has_a_higher_recall(rois, precision) -> None:
    precise = [counts for counts in all_counts(rois) if counts.precision >= precision]  # NaN is not
    threshold = threshold_at_precision(sweep(rois), precision)
    assert (threshold is None) == (not precise)
    if threshold is not None:
        chosen = counts_at(rois, threshold)
        assert 0 < threshold <= 1
        assert chosen.precision >= precision
        assert (chosen.tp, -chosen.fp) == max((counts.tp, -counts.fp) for counts in precise)


@pytest.mark.parametrize("precision", [-0.1, 1.1, 90, math.nan])
def test_a_precision_outside_its_range_is_refused(precision) -> None:
    with pytest.raises(ValueError, match="precision"):
        threshold_at_precision(sweep([]), precision)


# --- false positives per mm2


def test_highest_recall_within_the_rate() -> None:
    swept = sweep([row("x.x..x", [0.9, 0.8, 0.6, 0.5, 0.4, 0.2])])
    assert threshold_at_fp_rate(swept, 2.0, 0.0) == pytest.approx(0.85)  # (0.8, 0.9]
    assert threshold_at_fp_rate(swept, 2.0, 0.5) == pytest.approx(
        0.55
    )  # (0.5, 0.6]: a rate of the limit is within
    assert threshold_at_fp_rate(swept, 2.0, 0.49) == pytest.approx(0.85)
    assert threshold_at_fp_rate(swept, 2.0, 1.0) == pytest.approx(
        0.55
    )  # one more false alarm would add no hit
    assert threshold_at_fp_rate(swept, 2.0, 1.5) == pytest.approx(0.1)
    assert threshold_at_fp_rate(swept, 20.0, 0.15) == pytest.approx(0.1)


def test_no_threshold_that_finds_a_figure_keeps_to_the_rate() -> None:
    swept = sweep([row("..x", [0.8, 0.8, 0.5])])
    assert threshold_at_fp_rate(swept, 1.0, 1.0) is None
    assert threshold_at_fp_rate(swept, 1.0, 2.0) == pytest.approx(0.25)
    assert threshold_at_fp_rate(sweep([row("..x", [1.0, 1.0, 0.5])]), 1.0, 1.0) is None
    assert threshold_at_fp_rate(sweep([row("x", [0.0])]), 1.0, 1.0) is None, (
        "no threshold over 0 finds it"
    )


@pytest.mark.parametrize("rois", [[], [row("", [], figures=3)], [row("...", [0.9, 0.5, 0.3])]])
def test_without_a_hit_no_threshold_is_within_a_rate(rois) -> None:
    assert threshold_at_fp_rate(sweep(rois), 1.0, 100.0) is None
    assert lowest_fp_rate(sweep(rois), 1.0) == math.inf


@given(some_rois(), st.one_of(st.integers(0, 8).map(float), st.floats(0, 30)))
def test_no_threshold_within_the_rate_has_a_higher_recall(rois, rate) -> None:
    within = [counts for counts in all_counts(rois) if counts.fp / 0.5 <= rate and counts.tp]
    threshold = threshold_at_fp_rate(sweep(rois), 0.5, rate)
    assert (threshold is None) == (not within)
    if threshold is not None:
        chosen = counts_at(rois, threshold)
        assert 0 < threshold <= 1
        assert (chosen.tp, -chosen.fp) == max((counts.tp, -counts.fp) for counts in within)


@pytest.mark.parametrize("area", [0.0, -1.0, math.nan, math.inf])
def test_an_unknown_area_is_refused(area) -> None:
    with pytest.raises(ValueError, match="area_mm2"):
        threshold_at_fp_rate(sweep([]), area, 1.0)
    with pytest.raises(ValueError, match="area_mm2"):
        lowest_fp_rate(sweep([]), area)


@pytest.mark.parametrize("rate", [-0.1, math.nan])
def test_a_rate_below_zero_is_refused(rate) -> None:
    with pytest.raises(ValueError, match="fp_per_mm2"):
        threshold_at_fp_rate(sweep([]), 1.0, rate)


# --- the best that can be had


@given(some_rois())
def test_the_best_that_any_threshold_has(rois) -> None:
    swept, counts = sweep(rois), all_counts(rois)
    precisions = [count.precision for count in counts if count.tp + count.fp]
    assert highest_precision(swept) == pytest.approx(max(precisions, default=math.nan), nan_ok=True)
    assert lowest_fp_rate(swept, 0.5) == min(
        (count.fp / 0.5 for count in counts if count.tp), default=math.inf
    )


def test_what_is_found_with_a_score_of_zero_alone_cannot_be_had() -> None:
    swept = sweep([row(".xx", [0.9, 0.0, 0.0])])
    assert highest_precision(swept) == 0
    assert lowest_fp_rate(swept, 1.0) == math.inf


# --- both


def test_neighbouring_floats_are_still_told_apart() -> None:
    low, high = 0.5, np.nextafter(0.5, 1)  # their middle rounds to the lower
    rois = [row("x..", [high, low, low])]
    for threshold in (
        threshold_at_precision(sweep(rois), 1.0),
        threshold_at_fp_rate(sweep(rois), 1.0, 1.0),
    ):
        assert counts_at(rois, threshold) == counts_at(rois, high)


def test_scores_of_any_scale_leave_the_threshold_in_its_range() -> None:
    swept = sweep(
        [row("x.x", [7.5, 0.4, -2.0])]
    )  # on (0.4, 1] the first counts, below 0.4 the first two
    assert threshold_at_precision(swept, 0.6) == pytest.approx(0.7)
    assert threshold_at_fp_rate(swept, 1.0, 1.0) == pytest.approx(0.7)
