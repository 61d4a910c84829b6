"""Counts, sweep, threshold and average precision, against the plain rule and the field's own
scorers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.detection.mean_ap import MeanAveragePrecision

from midog.metrics.counts import (
    HALF_SIDE_MM,
    Counts,
    RoiPoints,
    average_precision,
    best_threshold,
    counts_at,
    interpolated_precision,
    sweep,
)
from midog.metrics.matching import match_points


def roi(truth_px, found_px, scores, mpp: float = 0.25) -> RoiPoints:
    def to_mm(points):
        return np.asarray(points, np.float64).reshape(-1, 2) * mpp / 1000

    return RoiPoints(to_mm(truth_px), to_mm(found_px), np.asarray(scores, np.float64))


@st.composite
def crowded_rois(draw) -> RoiPoints:
    """Points on a coarse grid that floats hold exactly, so that distances tie and points coincide;
    few scores."""
    point = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda xy: (xy[0] / 512, xy[1] / 512)
    )  # mm
    truth = draw(st.lists(point, max_size=8))
    found = draw(st.lists(st.tuples(point, st.integers(0, 10)), max_size=14))
    return RoiPoints(truth, [xy for xy, _ in found], [score / 10 for _, score in found])


@st.composite
def scattered_rois(draw) -> RoiPoints:
    point = st.tuples(st.floats(0, 120), st.floats(0, 120))
    truth = draw(st.lists(point, max_size=12))
    found = draw(st.lists(st.tuples(point, st.floats(0, 1)), max_size=20))
    return roi(truth, [xy for xy, _ in found], [score for _, score in found])


# --- counts


def test_ratios_are_nan_where_the_denominator_is_zero() -> None:
    assert all(math.isnan(value) for value in (Counts().precision, Counts().recall, Counts().f1))
    assert math.isnan(Counts(0, 0, 3).precision)
    assert Counts(0, 0, 3).recall == Counts(0, 0, 3).f1 == 0
    assert math.isnan(Counts(0, 2, 0).recall)
    assert Counts(0, 2, 0).precision == Counts(0, 2, 0).f1 == 0


def test_counts_add_up() -> None:
    total = Counts(3, 1, 0) + Counts(1, 0, 2)
    assert total == Counts(4, 1, 2)
    assert (total.precision, total.recall, total.f1) == (4 / 5, 4 / 6, 8 / 11)


def test_the_threshold_comes_before_the_matching() -> None:
    # The nearest point is below the threshold: the figure takes the other one.
    one = roi([(0, 0)], [(1, 0), (20, 0)], [0.2, 0.9])
    assert counts_at([one], 0.5) == Counts(1, 0, 0)
    assert counts_at([one], 0.9) == Counts(1, 0, 0)  # a score of the threshold itself counts
    assert counts_at([one], 0.1) == Counts(1, 1, 0)
    assert counts_at([one], np.nextafter(0.9, 1)) == Counts(0, 0, 1)


def test_rois_without_figures_and_without_points_count() -> None:
    nothing_there = roi([], [(5, 5), (50, 50)], [0.9, 0.8])
    nothing_found = roi([(5, 5)], [], [])
    assert counts_at([nothing_there, nothing_found], 0.5) == Counts(0, 2, 1)
    assert counts_at([], 0.5) == Counts()


@pytest.mark.parametrize("scores", [[0.5], [0.5, math.nan], [[0.5, 0.5]]])
def test_scores_that_do_not_fit_the_points_are_refused(scores) -> None:
    with pytest.raises(ValueError, match="scores"):
        roi([], [(0, 0), (1, 1)], scores)


# --- sweep


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
        truth, found = random.integers(0, 10, (n, 2)) / 512, random.integers(0, 10, (m, 2)) / 512
        if random.random() < 0.3:
            truth, found = random.uniform(0, 0.03, (n, 2)), random.uniform(0, 0.03, (m, 2))
        if n:
            found = np.where(random.random((m, 1)) < 0.3, truth[random.integers(0, n, m)], found)
            truth = np.where(random.random((n, 1)) < 0.2, truth[random.integers(0, n, n)], truth)
        scores = random.choice(
            [random.random(m), random.integers(1, 5, m) / 5, np.full(m, 0.5)], p=[0.45, 0.45, 0.1]
        )
        rois.append(RoiPoints(truth, found, scores))
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
        taken = match_points(each.truth_mm, each.found_mm[kept]).truth_to_found
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
    truth, found = [(0, 0), (4 * step, 0)], [(-2 * step, 0), (2 * step, 0)]
    for scores in ([0.9, 0.8], [0.8, 0.9]):
        rois = [RoiPoints(truth, found, scores)]
        assert sweep(rois).tp.tolist() == [1, 2]
        assert_sweep_is_the_plain_rule(rois)
    assert sweep([RoiPoints(truth, found[::-1], [0.9, 0.8])]).tp.tolist() == [1, 1]


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


# --- threshold


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


def test_scores_of_any_scale_leave_the_threshold_in_its_range() -> None:
    assert best_threshold(sweep([roi([(0, 0)], [(0, 0), (300, 0)], [7.5, -2.0])])) == 0.5


# --- average precision


def field_ap50(rois: list[RoiPoints]) -> float:
    """As the challenge's container computes it."""
    metric = MeanAveragePrecision(
        box_format="xyxy",
        max_detection_thresholds=[1, 10, 10**6],
        rec_thresholds=np.linspace(0, 1, 101).tolist(),
    )
    for each in rois:
        found, truth = (
            torch.tensor(
                np.hstack([points - HALF_SIDE_MM, points + HALF_SIDE_MM]), dtype=torch.float64
            )
            for points in (each.found_mm, each.truth_mm)
        )
        ones = torch.ones(len(found), dtype=torch.int64)
        metric.update(
            [{"boxes": found, "scores": torch.tensor(each.scores), "labels": ones}],
            [{"boxes": truth, "labels": torch.ones(len(truth), dtype=torch.int64)}],
        )
    return float(metric.compute()["map_50"])


@pytest.mark.parametrize("seed", range(6))
def test_ap50_equals_torchmetrics(seed) -> None:
    random = np.random.default_rng(seed)
    rois = []
    for _ in range(5):
        truth = random.uniform(0, 500, (random.integers(0, 20), 2))
        near = truth + random.normal(0, 15, truth.shape)
        found = np.vstack([near, random.uniform(0, 500, (random.integers(0, 150), 2))])
        rois.append(roi(truth, found, random.integers(1, 60, len(found)) / 60))
    assert average_precision(rois) == pytest.approx(
        field_ap50(rois), abs=1e-6
    )  # theirs is float32 at the end


def test_ap_of_perfect_and_of_hopeless_detections() -> None:
    figures = [(0, 0), (200, 0)]
    assert average_precision([roi(figures, figures, [0.3, 0.2])]) == 1
    assert average_precision([roi(figures, [], [])]) == 0
    assert average_precision([roi(figures, [(900, 900)], [1.0])]) == 0
    assert math.isnan(average_precision([roi([], [(0, 0)], [1.0])]))
    assert math.isnan(average_precision([]))


def test_ap_by_hand() -> None:
    # hit, false alarm, hit; a third figure is missed: precision 1 up to recall 1/3, 2/3 up to
    # recall 2/3, then 0.
    one = roi([(0, 0), (200, 0), (400, 0)], [(0, 0), (600, 0), (200, 0)], [0.9, 0.8, 0.7])
    assert average_precision([one]) == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)


def test_false_alarms_in_rois_without_figures_lower_the_ap() -> None:
    good = roi([(0, 0)], [(0, 0)], [0.5])
    assert average_precision([good, roi([], [(0, 0)], [0.9])]) == 0.5


def test_ap_has_no_cap_on_points_and_takes_many() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(0, 90_000, (2000, 2))
    found = np.vstack([random.uniform(0, 90_000, (40_000, 2)), truth])
    scores = np.concatenate([np.full(40_000, 0.9), np.full(2000, 0.1)])
    assert (
        0.04 < average_precision([roi(truth, found, scores)]) < 0.06
    )  # every figure, after 40,000 false alarms


def test_precision_is_read_off_at_the_first_recall_that_is_enough_for_any_number_of_figures() -> (
    None
):
    random = np.random.default_rng(0)
    for figures in range(1, 400):
        tp = np.arange(1, random.integers(0, figures + 1) + 1)
        found = tp + np.sort(random.integers(0, 50, len(tp)))
        expected = [
            max((tp / found)[tp / figures >= recall], default=0)
            for recall in np.linspace(0, 1, 101)
        ]
        ours = interpolated_precision(tp[:, None], found[:, None], np.array([figures]))
        assert ours.tolist() == [np.mean(expected)]


def test_iou_of_one_half_is_7_5_um_along_an_axis() -> None:
    assert average_precision([roi([(0, 0)], [(29.9, 0)], [0.9])]) == 1
    assert average_precision([roi([(0, 0)], [(30.1, 0)], [0.9])]) == 0
    assert (
        average_precision([roi([(0, 0)], [(22, 22)], [0.9])]) == 0
    )  # within 30 px, but the squares share too little


# --- the field's answers


@pytest.fixture(scope="module")
def parity(shared: Path) -> dict:
    return json.loads((shared / "parity" / "parity.json").read_text())


def parity_rois(parity: dict, group: str) -> list[RoiPoints]:
    rois = []
    for image in parity["images"]:
        if group in ("all", image["scanner"]):
            found = np.asarray(image["detections_px"], np.float64).reshape(-1, 3)
            rois.append(roi(image["mitotic_figures_px"], found[:, :2], found[:, 2], image["mpp"]))
    return rois


GROUPS = ["all", "Hamamatsu XR", "Hamamatsu S360", "Aperio CS2", "Leica GT450"]


@pytest.mark.parametrize("group", GROUPS)
def test_counts_equal_the_fields_at_every_threshold(parity, group) -> None:
    rois, expected = parity_rois(parity, group), parity["expected"][group]
    assert len(expected["at_threshold"]) == 7
    for threshold, figures in expected["at_threshold"].items():
        t = float(threshold)
        assert counts_at(rois, t) == Counts(figures["tp"], figures["fp"], figures["fn"])
        per_image = [counts_at([each], t) for each in rois]
        assert per_image == [Counts(*each) for each in figures["per_image_tp_fp_fn"]]
        assert counts_at(rois, t).f1 == pytest.approx(
            figures["f1"], abs=1e-6
        )  # theirs has an epsilon below


@pytest.mark.parametrize("group", GROUPS)
def test_ap50_equals_the_fields(parity, group) -> None:
    assert average_precision(parity_rois(parity, group)) == pytest.approx(
        parity["expected"][group]["ap50"], abs=1e-6
    )


def test_sweep_equals_the_plain_rule_on_the_fields_points(parity) -> None:
    rois = parity_rois(parity, "Leica GT450")
    assert_sweep_is_the_plain_rule(rois)
    swept = sweep(rois)
    assert counts_at(rois, best_threshold(swept)).f1 == swept.f1.max()
