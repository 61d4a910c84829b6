"""Scores of two classes against counting pair by pair, and every resample against the list that it
stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc

from midog.metrics.two_classes import (
    area_under_curve,
    average_precision_of_ranking,
    best_balanced_threshold,
    decide,
    rank_scores,
    roc_auc,
    roc_curve,
)

# few distinct scores, so that many tie; and the ends of the range
SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.75, 1.0])
ITEMS = st.lists(st.tuples(SCORE, st.booleans(), st.integers(0, 3)), max_size=25)


def split(items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, positive, times = ([one[at] for one in items] for at in range(3))
    return np.array(scores, float), np.array(positive, bool), np.array(times, np.int64)


def pairs_in_order(scores, positive) -> float:
    """The area under the ROC, pair by pair."""
    pairs = [(a, b) for a in scores[positive] for b in scores[~positive]]
    return float(np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])) if pairs else math.nan


def summed_precision(scores, positive) -> float:
    """The average precision, threshold by threshold."""
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        recall = (taken & positive).sum() / positive.sum() if positive.any() else math.nan
        total += (recall - recall_before) * (taken & positive).sum() / taken.sum()
        recall_before = recall
    return total if positive.any() else math.nan


def same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, abs=1e-12)


@given(ITEMS)
def test_areas_are_those_of_counting(items):
    scores, positive, _ = split(items)
    ranking = rank_scores(scores, positive)
    assert same(roc_auc(ranking)[0], pairs_in_order(scores, positive))
    assert same(area_under_curve(scores, positive), pairs_in_order(scores, positive))
    assert same(average_precision_of_ranking(ranking)[0], summed_precision(scores, positive))
    if 0 < positive.sum() < len(positive):
        assert same(roc_auc(ranking)[0], roc_auc_score(positive, scores))
        expected = average_precision_score(positive, scores)
        assert same(average_precision_of_ranking(ranking)[0], expected)


@given(ITEMS)
def test_a_resample_scores_as_the_list_that_it_stands_for(items):
    scores, positive, times = split(items)
    weights = np.stack([times, np.ones_like(times), 2 * times])
    ranking = rank_scores(scores, positive)
    for row, drawn in enumerate(weights):
        again, truth = np.repeat(scores, drawn), np.repeat(positive, drawn)
        assert same(roc_auc(ranking, weights)[row], pairs_in_order(again, truth))
        precision = average_precision_of_ranking(ranking, weights)[row]
        assert same(precision, summed_precision(again, truth))
        counts, own = decide(scores, positive, 0.5, weights), decide(again, truth, 0.5)
        assert [counts.tp[row], counts.fp[row], counts.fn[row], counts.tn[row]] == [
            own.tp[0],
            own.fp[0],
            own.fn[0],
            own.tn[0],
        ]


@given(ITEMS)
def test_the_curve_is_that_of_scikit_learn_and_holds_its_area(items):
    scores, positive, _ = split(items)
    if not 0 < positive.sum() < len(positive):
        return
    curve = roc_curve(rank_scores(scores, positive))
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert same(float(area), pairs_in_order(scores, positive))
    fpr, tpr, thresholds = sklearn_roc(positive, scores, drop_intermediate=False)
    whole = dict(zip(thresholds.tolist(), zip(fpr, tpr, strict=True), strict=True))
    for at, x, y in zip(
        curve.thresholds, curve.false_positive_rate, curve.true_positive_rate, strict=True
    ):
        assert (x, y) == pytest.approx(whole[at])
    assert (curve.thresholds[0], curve.thresholds[-1]) == (math.inf, scores.min())


@given(ITEMS)
def test_no_threshold_is_more_accurate_than_the_best(items):
    scores, positive, _ = split(items)
    best = best_balanced_threshold(scores, positive)
    assert 0 <= best <= 1
    if not 0 < positive.sum() < len(positive):
        assert best == 0.5
        return

    def balanced(threshold: float) -> float:
        counts = decide(scores, positive, threshold)
        return float(counts.tp[0] / positive.sum() + counts.tn[0] / (~positive).sum()) / 2

    others = [balanced(threshold) for threshold in [*scores, 0, 0.05, 0.3, 0.6, 0.9, 2]]
    assert balanced(best) >= max(others) - 1e-12


def test_the_best_threshold_is_half_way_between_scores():
    scores, positive = np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, True, False, False])
    assert best_balanced_threshold(scores, positive) == pytest.approx(0.55)


def test_a_point_of_the_curve_between_others_is_left_out():
    curve = roc_curve(rank_scores([0.9, 0.8, 0.7, 0.6], [True, True, False, False]))
    assert curve.thresholds.tolist() == [math.inf, 0.8, 0.6]


def test_what_cannot_be_ranked_is_an_error():
    with pytest.raises(ValueError, match="score 1 is not finite"):
        rank_scores([0.1, math.nan], [True, False])
    with pytest.raises(ValueError, match="bool"):
        rank_scores([0.1, 0.2], [1, 0])
    assert math.isnan(area_under_curve([0.1, math.inf], [True, False]))
