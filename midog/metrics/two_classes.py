"""Scores of a classifier of two classes: ROC and its area, average precision, counts at a
threshold; each for any number of resamples at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from midog.boxes import IntArray
from midog.metrics.counts import ratios
from midog.metrics.points import Values


@dataclass(frozen=True, eq=False)
class Ranking:
    """N scored items of two classes, by falling score.

    order: (N,) int64, their places in the list that was given. starts: (T,) int64, where each run
    of equal scores begins. scores: (T,) float64, that of each run. positive: (N,) bool, as ordered.
    """

    order: IntArray
    starts: IntArray
    scores: Values
    positive: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Decisions:
    """Counts at a threshold in each of B resamples, (B,) int64 each."""

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Rates at thresholds that fall from infinity; all arrays are (K,) float64.

    An item is taken for positive from the threshold up. Points on a straight line between others
    are left out.
    """

    thresholds: Values
    false_positive_rate: Values
    true_positive_rate: Values


def rank_scores(scores: ArrayLike, positive: ArrayLike) -> Ranking:
    """Sort scores once, for any number of resamples.

    Args:
        scores: (N,) finite, higher where an item is more likely positive.
        positive: (N,) bool.

    Raises:
        ValueError: If shapes disagree, a score is not finite, or `positive` is not bool.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive)
    if scores.ndim != 1 or positive.shape != scores.shape or positive.dtype != np.bool_:
        raise ValueError(
            f"scores and positive must be (N,) and (N,) bool, got {scores.shape} and"
            f" {positive.shape} {positive.dtype}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"score {np.flatnonzero(~np.isfinite(scores))[0]} is not finite")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    starts = np.flatnonzero(np.diff(falling, prepend=math.inf) != 0)
    return Ranking(order, starts, falling[starts], positive[order])


def roc_auc(ranking: Ranking, weights: IntArray | None = None) -> Values:
    """Return the area under the ROC: the share of pairs of a positive and a negative that the
    scores rank rightly, where ties count half (Mann and Whitney, Ann. Math. Statist. 18, 1947).

    Args:
        ranking: Of N items.
        weights: (B, N) int64, how often each item of the list stands in each resample; None: once.

    Returns:
        (B,) float64 in [0, 1], (1,) without weights; NaN where a class is missing.
    """
    positives, negatives = _by_score(ranking, weights)
    below = negatives.sum(axis=1, keepdims=True) - np.cumsum(negatives, axis=1)
    right = (positives * (2 * below + negatives)).sum(axis=1)
    return ratios(right, 2 * positives.sum(axis=1) * negatives.sum(axis=1))


def area_under_curve(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the `roc_auc` of one list; NaN where a class is missing or a score is not finite."""
    if not np.isfinite(np.asarray(scores, np.float64)).all():
        return math.nan
    return float(roc_auc(rank_scores(scores, positive))[0])


def average_precision_of_ranking(ranking: Ranking, weights: IntArray | None = None) -> Values:
    """Return the average precision: the sum over thresholds of precision times gain in recall,
    without interpolation (as scikit-learn's `average_precision_score`).

    Args:
        ranking: Of N items.
        weights: As of `roc_auc`.

    Returns:
        (B,) float64 in [0, 1]; NaN without positives.
    """
    positives, negatives = _by_score(ranking, weights)
    tp = np.cumsum(positives, axis=1)
    taken = tp + np.cumsum(negatives, axis=1)
    precision = tp / np.maximum(taken, 1)
    return ratios((precision * positives).sum(axis=1), tp[:, -1] if tp.shape[1] else tp.sum(axis=1))


def roc_curve(ranking: Ranking) -> RocCurve:
    """Return the ROC, from (0, 0) to (1, 1); rates are NaN where a class is missing."""
    positives, negatives = (part[0] for part in _by_score(ranking, None))
    tp = np.concatenate([[0], np.cumsum(positives)])
    fp = np.concatenate([[0], np.cumsum(negatives)])
    corner = np.ones(len(tp), bool)
    # a point stays where the steps before and after it point in different directions
    corner[1:-1] = np.diff(tp)[:-1] * np.diff(fp)[1:] != np.diff(tp)[1:] * np.diff(fp)[:-1]
    thresholds = np.concatenate([[math.inf], ranking.scores])
    return RocCurve(
        thresholds[corner],
        ratios(fp[corner], np.full(corner.sum(), fp[-1])),
        ratios(tp[corner], np.full(corner.sum(), tp[-1])),
    )


def decide(
    scores: ArrayLike, positive: ArrayLike, threshold: float, weights: IntArray | None = None
) -> Decisions:
    """Return the counts where items of at least a score are taken for positive.

    Args:
        scores: (N,).
        positive: (N,) bool.
        threshold: The least score.
        weights: As of `roc_auc`.
    """
    taken, truth = np.asarray(scores) >= threshold, np.asarray(positive)
    if weights is None:
        weights = np.ones((1, len(truth)), np.int64)
    cells = [taken & truth, taken & ~truth, ~taken & truth, ~taken & ~truth]
    return Decisions(*(weights @ cell.astype(np.int64) for cell in cells))


def best_balanced_threshold(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the threshold of highest balanced accuracy (that of Youden's index, Cancer 3, 1950).

    It lies half way between two neighbouring scores; of several that are as good it is the one
    nearest to 0.5.

    Args:
        scores: (N,) in [0, 1].
        positive: (N,) bool.

    Returns:
        In [0, 1]; 0.5 where a class is missing.
    """
    ranking = rank_scores(scores, positive)
    positives, negatives = (part[0] for part in _by_score(ranking, None))
    if not positives.sum() or not negatives.sum():
        return 0.5
    tp, fp = np.cumsum(positives), np.cumsum(negatives)
    # as whole numbers, so that what is equal is so whatever the rounding
    gain = tp * negatives.sum() - fp * positives.sum()
    middles = (ranking.scores + np.append(ranking.scores[1:], 0)) / 2
    best = np.flatnonzero(gain == gain.max())
    if gain.max() < 0:  # never: taking all for positive gains 0
        return 0.5
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]])


def _by_score(ranking: Ranking, weights: IntArray | None) -> tuple[IntArray, IntArray]:
    """Positives and negatives of each score in each resample, (B, T) and (B, T), falling score."""
    count = len(ranking.order)
    drawn = np.ones((1, count), np.int64) if weights is None else weights[:, ranking.order]
    if not count:
        return np.zeros((len(drawn), 0), np.int64), np.zeros((len(drawn), 0), np.int64)
    positives = np.add.reduceat(drawn * ranking.positive, ranking.starts, axis=1)
    return positives, np.add.reduceat(drawn, ranking.starts, axis=1) - positives
