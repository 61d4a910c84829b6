"""Counts, precision, recall, F1, the sweep over all thresholds, the choice of one, and average
precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.matching import match_points
from midog.metrics.pooled_matches import HALF_SIDE_MM as HALF_SIDE_MM
from midog.metrics.pooled_matches import RoiPoints as RoiPoints
from midog.metrics.pooled_matches import Values as Values
from midog.metrics.pooled_matches import all_found_hits, all_overlap_hits
from midog.metrics.pooled_matches import found_hits as found_hits
from midog.metrics.pooled_matches import overlap_hits as overlap_hits

_RECALLS = np.linspace(0, 1, 101)
"""The recalls at which COCO reads off the precision."""


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives; add them with `+`.

    precision, recall and f1 are in [0, 1], NaN where the denominator is zero.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """tp / (tp + fp)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """tp / (tp + fn)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn)."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Pooled counts at every threshold that changes them.

    thresholds: (K,) float64, the distinct scores, falling. tp, fp: (K,) int64, with all points of
    score >= threshold.
    figures: true figures in all, so that fn = figures - tp.
    """

    thresholds: Values
    tp: IntArray
    fp: IntArray
    figures: int

    @property
    def fn(self) -> IntArray:
        """Missed figures at each threshold, (K,) int64."""
        return np.asarray(self.figures - self.tp)

    @property
    def precision(self) -> Values:
        """(K,) float64."""
        return ratios(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Values:
        """(K,) float64, NaN without figures."""
        return ratios(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> Values:
        """(K,) float64."""
        return ratios(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def counts_at(rois: Sequence[RoiPoints], threshold: float) -> Counts:
    """The challenge's counts, pooled over ROIs: first the threshold (score >= it), then the
    matching."""
    total = Counts()
    for roi in rois:
        matches = match_points(roi.truth_mm, roi.at_least(threshold).found_mm)
        total += Counts(matches.tp, matches.fp, matches.fn)
    return total


def sweep(rois: Sequence[RoiPoints]) -> Sweep:
    """`counts_at` for every distinct score, exactly, in one pass over the found points by falling
    score."""
    scores = np.concatenate([np.zeros(0), *(roi.scores for roi in rois)])
    return sweep_hits(scores, all_found_hits(rois), sum(len(roi.truth_mm) for roi in rois))


def sweep_hits(scores: Values, hits: NDArray[np.bool_], figures: int) -> Sweep:
    """`sweep` of found points that are matched already: their scores (M,), and which are hits (M,),
    `found_hits`."""
    order = np.argsort(-scores)  # equal scores in any order, as they count together
    falling = scores[order]
    last_of_each = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)[: len(falling)])
    tp = np.cumsum(hits[order], dtype=np.int64)[last_of_each]
    return Sweep(thresholds=falling[last_of_each], tp=tp, fp=last_of_each + 1 - tp, figures=figures)


def best_threshold(sweep: Sweep) -> float:
    """The threshold t in (0, 1] with the best F1: the middle of the widest range of t that has it.

    F1 is a step function of t that changes at the scores only. Of all ranges between two changes
    with the highest F1 the widest is taken (of equally wide ones, the highest), since its middle
    bears most drift of the scores. Where nothing is hit at any threshold, F1 is 0 on all of (0, 1]
    and the answer is 0.5; so it is without any figure, where no threshold can be told from another.
    """
    if sweep.figures == 0:
        return 0.5
    # On (edges[k + 1], edges[k]] the points of the k highest scores count: none of them for k = 0.
    edges = np.concatenate([[1.0], np.clip(sweep.thresholds, 0, 1), [0.0]])
    f1 = np.concatenate([[0.0], sweep.f1])
    steps = np.flatnonzero(edges[1:] < edges[:-1])  # equal edges: scores outside (0, 1)
    best = f1[steps] == f1[steps].max()
    # Neighbouring steps of the best F1 are one range: from where `best` sets in to where it ends.
    turns = np.diff(np.concatenate([[False], best, [False]]).astype(np.int8))
    high = edges[steps[np.flatnonzero(turns == 1)]]
    low = edges[steps[np.flatnonzero(turns == -1) - 1] + 1]
    widest = int(np.argmax(high - low))
    middle = float((low[widest] + high[widest]) / 2)
    return middle if middle > low[widest] else float(high[widest])


def average_precision(
    rois: Sequence[RoiPoints], *, half_side_mm: float = HALF_SIDE_MM, iou: float = 0.5
) -> float:
    """Average precision of squares of side 2 * `half_side_mm` around the points, in [0, 1]; NaN
    without figures.

    COCO's (pycocotools `COCOeval`, one class): per ROI, by falling score (ties in their order),
    each point takes the free figure that it overlaps most, if the IoU is at least `iou`; precision
    at recall r is the highest at any recall >= r; its mean over r = 0, 0.01, … 1. No cap on the
    points of an ROI, as the challenge sets none.
    """
    scores = np.concatenate([np.zeros(0), *(roi.scores for roi in rois)])
    hits = all_overlap_hits(rois, half_side_mm, iou)
    return precision_of_hits(scores, hits, sum(len(roi.truth_mm) for roi in rois))


def precision_of_hits(scores: Values, hits: NDArray[np.bool_], figures: int) -> float:
    """`average_precision` of points that are matched already: scores (M,), and which are hits (M,),
    `overlap_hits`."""
    if figures == 0:
        return math.nan
    places = np.flatnonzero(hits[np.argsort(-scores, kind="stable")]) + 1
    tp = np.arange(1, len(places) + 1)
    return float(interpolated_precision(tp[:, None], places[:, None], np.array([figures]))[0])


def interpolated_precision(tp: NDArray[Any], found: NDArray[Any], figures: IntArray) -> Values:
    """Mean (B,) over r = 0, 0.01, … 1 of the highest precision at any recall >= r, as COCO has it;
    0 where none is.

    tp, found: (H, B) whole numbers: in each of B rankings, how many hits and points there are up to
    each hit, as precision peaks nowhere else. figures: (B,), over 0.
    """
    none = np.zeros((1, len(figures)))
    highest = np.concatenate([tp / np.maximum(found, 1), none])[::-1]
    np.maximum.accumulate(highest, axis=0, out=highest)
    # Recall is the float nearest to tp / figures. `enough` is the lowest tp of which that is >= r.
    enough = np.floor(_RECALLS * figures[:, None])
    enough += enough / figures[:, None] < _RECALLS
    columns = zip(np.ascontiguousarray(tp.T), enough.astype(tp.dtype), strict=True)
    first = np.array([np.searchsorted(*each) for each in columns], np.int64).reshape(
        len(figures), -1
    )
    return np.asarray(highest[len(tp) - first, np.arange(len(figures))[:, None]].mean(axis=1))


def ratios(part: IntArray | Values, whole: IntArray | Values) -> Values:
    """part / whole, NaN where `whole` is 0."""
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole != 0)
    return out


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
