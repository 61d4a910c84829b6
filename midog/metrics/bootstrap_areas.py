"""Average precision and the area under FROC of every resample of ROIs: sorted once, counted by
matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from midog.boxes import IntArray
from midog.metrics.counts import interpolated_precision
from midog.metrics.froc import auc_thresholds, curve_auc
from midog.metrics.pooled_matches import Hits, Values

_AT_ONCE = 32
"""Resamples at a time: the arrays of some thousand hits by these stay in a processor's cache."""


def resample_areas(hits: Hits, weights: IntArray) -> tuple[Values, Values]:
    """Average precision (B,) and the area under FROC (B,), as if each of R ROIs stood `weights`
    times in a row.

    weights: (B, R) int64. To the last bit `average_precision` and `froc_auc` of that list; NaN
    without figures.
    """
    figures = weights @ hits.figures
    known = np.flatnonzero(figures)
    ap50, froc_auc = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    if len(known):
        ap50[known] = _average_precisions(hits, weights[known], figures[known])
        froc_auc[known] = _froc_aucs(hits, weights[known], figures[known])
    return ap50, froc_auc


def _average_precisions(hits: Hits, weights: IntArray, figures: IntArray) -> Values:
    """(B,) of resamples that have figures."""
    ranking = _rank(hits, copies=int(weights.max()))
    result = np.zeros(len(weights))
    for begin in range(0, len(weights), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        table = _unit_weights(weights[part], ranking.copies)
        tp = np.cumsum(table[ranking.hits], axis=0, dtype=np.int32)
        found = np.cumsum(ranking.between @ table, axis=0, dtype=np.int32)
        result[part] = interpolated_precision(tp, found, figures[part])
    return result


@dataclass(frozen=True, eq=False)
class _Ranking:
    """The found points of all ROIs by falling score. A unit is what counts equally often: see
    `_unit_weights`.

    hits: (H,) int64, the unit of each hit by overlap. between: (H, U) int32, sparse: how many
    points of each unit stand after the hit before, up to this hit. copies: units of an ROI besides
    itself.
    """

    hits: IntArray
    between: csr_array
    copies: int


def _rank(hits: Hits, copies: int) -> _Ranking:
    """Sort once for all resamples, in the order in which `average_precision` would sort the
    resampled list."""
    order = np.argsort(-hits.scores, kind="stable")
    hit, owner, rois = hits.overlapping[order], hits.owner[order], len(hits.figures)
    point, copy = _lay_out(hits.scores[order], owner, hit, copies)
    copies = copies if copy.any() else 0
    unit, hit = owner[point] + rois * copy, hit[point]
    before: IntArray = np.cumsum(hit, dtype=np.int64) - hit
    up_to_last = before < np.count_nonzero(hit)
    counted = np.ones(np.count_nonzero(up_to_last), np.int32)
    shape = (np.count_nonzero(hit), rois * (1 + copies))
    return _Ranking(
        unit[hit], csr_array((counted, (before[up_to_last], unit[up_to_last])), shape=shape), copies
    )


def _lay_out(
    scores: Values, owner: IntArray, hits: NDArray[np.bool_], copies: int
) -> tuple[IntArray, IntArray]:
    """Which point stands at each place (C,), and which copy of it: 1, 2, …, or 0 for all of them
    together.

    A place can count as often as its ROI was drawn, except where hits and false alarms of one ROI
    tie: drawn twice, a hit and a false alarm (h f) stand in the list as h f h f, not as h h f f.
    Such a run is laid out copy by copy. scores, owner (the ROI), hits: (M,), sorted by falling
    score, then ROI.
    """
    starts = np.ones(len(scores), bool)
    starts[1:] = (scores[1:] != scores[:-1]) | (owner[1:] != owner[:-1])
    run = np.cumsum(starts) - 1
    mixed = ((np.bincount(run, hits) > 0) & (np.bincount(run, ~hits) > 0))[run]
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


def _froc_aucs(hits: Hits, weights: IntArray, figures: IntArray) -> Values:
    """(B,) of resamples that have figures. Those with the same lowest and highest score have the
    same thresholds."""
    order = np.argsort(hits.scores)
    scores, owner, hit = hits.scores[order], hits.owner[order], hits.in_radius[order]
    low, high = _extremes(hits, weights)
    ranges, which = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
    rois, drawn = (
        weights.sum(axis=1),
        weights.astype(np.float64),
    )  # float64 is exact here, and BLAS takes no integers
    result = np.zeros(len(weights))
    for number, (lowest, highest) in enumerate(ranges.tolist()):
        if lowest > highest:
            continue  # nothing was found in any ROI that is drawn
        thresholds, here = auc_thresholds(lowest, highest), np.flatnonzero(which == number)
        found = drawn[here] @ _at_least(thresholds, scores, owner, len(hits.figures))
        tp = drawn[here] @ _at_least(thresholds, scores[hit], owner[hit], len(hits.figures))
        fp_per_roi, recall = (found - tp) / rois[here, None], tp / figures[here, None]
        result[here] = curve_auc(fp_per_roi, recall)
    return result


def _extremes(hits: Hits, weights: IntArray) -> tuple[Values, Values]:
    """The lowest and the highest score (B,), (B,) of the ROIs drawn; inf and -inf where nothing is
    found in them."""
    low, high = np.full(len(hits.figures), np.inf), np.full(len(hits.figures), -np.inf)
    np.minimum.at(low, hits.owner, hits.scores)
    np.maximum.at(high, hits.owner, hits.scores)
    drawn = weights > 0
    return np.where(drawn, low, np.inf).min(axis=1), np.where(drawn, high, -np.inf).max(axis=1)


def _at_least(thresholds: Values, scores: Values, owner: IntArray, rois: int) -> Values:
    """How many points of each ROI have at least each threshold, (R, T). thresholds (T,), scores,
    owner (M,): rising."""
    places = np.searchsorted(scores, thresholds)
    steps = np.repeat(
        np.arange(len(thresholds) + 1), np.diff(places, prepend=0, append=len(scores))
    )
    counts = np.bincount(steps * rois + owner, minlength=(len(thresholds) + 1) * rois)
    reached = np.cumsum(counts.reshape(-1, rois)[:0:-1], axis=0)[::-1]
    return np.asarray(reached.T, np.float64)
