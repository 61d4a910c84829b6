"""Average precision and the area under FROC of every resample of ROIs: sorted once, counted by
matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from midog.boxes import IntArray
from midog.metrics.average_precision import interpolated_precision
from midog.metrics.froc import auc_thresholds, curve_auc
from midog.metrics.points import Values
from midog.metrics.pooled_matches import PooledMatches

_AT_ONCE = 32
"""Resamples at a time: the arrays of some thousand matched detections by these stay in a
processor's cache."""


def resample_average_precision(matches: PooledMatches, weights: IntArray) -> Values:
    """Return the average precision of every resample, as if each ROI stood `weights` times in a
    row.

    Args:
        matches: Of R ROIs.
        weights: (B, R) int64, how often an ROI counts in a resample.

    Returns:
        (B,) float64, to the last bit `average_precision` of that list; NaN without figures.
    """
    figures = weights @ matches.figures
    with_figures = np.flatnonzero(figures)
    result = np.full(len(weights), np.nan)
    if len(with_figures):
        result[with_figures] = _average_precisions(
            matches, weights[with_figures], figures[with_figures]
        )
    return result


def resample_froc_auc(matches: PooledMatches, weights: IntArray) -> Values:
    """Return the area under FROC of every resample, as if each ROI stood `weights` times in a row.

    Args:
        matches: Of R ROIs.
        weights: (B, R) int64, how often an ROI counts in a resample.

    Returns:
        (B,) float64, to the last bit `froc_auc` of that list; NaN without figures.
    """
    figures = weights @ matches.figures
    with_figures = np.flatnonzero(figures)
    result = np.full(len(weights), np.nan)
    if len(with_figures):
        result[with_figures] = _froc_aucs(matches, weights[with_figures], figures[with_figures])
    return result


def points_at_least(thresholds: Values, scores: Values, owner: IntArray, rois: int) -> Values:
    """Count the detections of each ROI that have at least a threshold.

    Args:
        thresholds: (T,) float64, rising.
        scores: (M,) float64, rising.
        owner: (M,) int64, the ROI of each detection.
        rois: Number of ROIs R.

    Returns:
        (R, T) float64.
    """
    places = np.searchsorted(scores, thresholds)
    steps = np.repeat(
        np.arange(len(thresholds) + 1), np.diff(places, prepend=0, append=len(scores))
    )
    counts = np.bincount(steps * rois + owner, minlength=(len(thresholds) + 1) * rois)
    reached = np.cumsum(counts.reshape(-1, rois)[:0:-1], axis=0)[::-1]
    return np.asarray(reached.T, np.float64)


def _average_precisions(matches: PooledMatches, weights: IntArray, figures: IntArray) -> Values:
    """(B,) of resamples that have figures."""
    ranking = _rank(matches, copies=int(weights.max()))
    result = np.zeros(len(weights))
    for begin in range(0, len(weights), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        table = _unit_weights(weights[part], ranking.copies)
        tp = np.cumsum(table[ranking.matched], axis=0, dtype=np.int32)
        detections = np.cumsum(ranking.between @ table, axis=0, dtype=np.int32)
        result[part] = interpolated_precision(tp, detections, figures[part])
    return result


@dataclass(frozen=True, eq=False)
class _Ranking:
    """The detections of all ROIs by falling score. A unit is what counts equally often: see
    `_unit_weights`.

    Attributes:
        matched: (H,) int64, the units of the detections that match a figure by overlap.
        between: (H, U) int32, sparse: how many detections of a unit stand after the matched one
            before, up to this matched one.
        copies: Units of an ROI besides itself.
    """

    matched: IntArray
    between: csr_array
    copies: int


def _rank(matches: PooledMatches, copies: int) -> _Ranking:
    """Sort once for all resamples, in the order in which `average_precision` would sort the
    resampled list."""
    order = np.argsort(-matches.scores, kind="stable")
    matched, owner = matches.by_overlap[order], matches.owner[order]
    rois = len(matches.figures)
    point, copy = _lay_out(matches.scores[order], owner, matched, copies)
    copies = copies if copy.any() else 0
    unit, matched = owner[point] + rois * copy, matched[point]
    before: IntArray = np.cumsum(matched, dtype=np.int64) - matched
    up_to_last = before < np.count_nonzero(matched)
    counted = np.ones(np.count_nonzero(up_to_last), np.int32)
    shape = (np.count_nonzero(matched), rois * (1 + copies))
    between = csr_array((counted, (before[up_to_last], unit[up_to_last])), shape=shape)
    return _Ranking(unit[matched], between, copies)


def _lay_out(
    scores: Values, owner: IntArray, matched: NDArray[np.bool_], copies: int
) -> tuple[IntArray, IntArray]:
    """Which detection stands at each place (C,), and which copy of it: 1, 2, …, or 0 for all of
    them together.

    A place can count as often as its ROI was drawn, except where true and false positives of one
    ROI tie: drawn twice, a true and a false one (t f) stand in the list as t f t f, not as t t f f.
    Such a run is laid out copy by copy. scores, owner (the ROI), matched: (M,), sorted by falling
    score, then ROI.
    """
    starts = np.ones(len(scores), bool)
    starts[1:] = (scores[1:] != scores[:-1]) | (owner[1:] != owner[:-1])
    run = np.cumsum(starts) - 1
    mixed = ((np.bincount(run, matched) > 0) & (np.bincount(run, ~matched) > 0))[run]
    if not mixed.any():
        return np.arange(len(scores)), np.zeros(len(scores), np.int64)
    times = np.where(mixed, copies, 1)
    point = np.repeat(np.arange(len(scores)), times)
    copy = np.arange(len(point)) - np.repeat(np.cumsum(times) - times, times) + 1
    copy[~mixed[point]] = 0
    order = np.lexsort((point, copy, run[point]))
    return point[order], copy[order]


def _unit_weights(weights: IntArray, copies: int) -> NDArray[np.int32]:
    """How often each unit counts, (U, B): the ROIs by their weights (B, R), then whether each has
    so many copies."""
    drawn = np.ascontiguousarray(weights.T, np.int32)
    return np.concatenate([drawn, *(drawn > copy for copy in range(copies))], dtype=np.int32)


def _froc_aucs(matches: PooledMatches, weights: IntArray, figures: IntArray) -> Values:
    """(B,) of resamples that have figures. Those with the same lowest and highest score have the
    same thresholds."""
    order = np.argsort(matches.scores)
    scores, owner = matches.scores[order], matches.owner[order]
    matched, count = matches.by_radius[order], len(matches.figures)
    low, high = _extremes(matches, weights)
    ranges, which = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
    # float64 is exact here, and BLAS takes no integers
    rois, drawn = weights.sum(axis=1), weights.astype(np.float64)
    result = np.zeros(len(weights))
    for number, (lowest, highest) in enumerate(ranges.tolist()):
        if lowest > highest:
            continue  # no ROI that is drawn has a detection
        thresholds, here = auc_thresholds(lowest, highest), np.flatnonzero(which == number)
        detections = drawn[here] @ points_at_least(thresholds, scores, owner, count)
        tp = drawn[here] @ points_at_least(thresholds, scores[matched], owner[matched], count)
        fp_per_roi, recall = (detections - tp) / rois[here, None], tp / figures[here, None]
        result[here] = curve_auc(fp_per_roi, recall)
    return result


def _extremes(matches: PooledMatches, weights: IntArray) -> tuple[Values, Values]:
    """The lowest and the highest score (B,), (B,) of the ROIs drawn; inf and -inf where they have
    no detection."""
    rois = len(matches.figures)
    low, high = np.full(rois, np.inf), np.full(rois, -np.inf)
    np.minimum.at(low, matches.owner, matches.scores)
    np.maximum.at(high, matches.owner, matches.scores)
    drawn = weights > 0
    return np.where(drawn, low, np.inf).min(axis=1), np.where(drawn, high, -np.inf).max(axis=1)
