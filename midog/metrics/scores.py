"""Counts, precision, recall, F1, the sweep over all thresholds, the choice of one, and average precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.matching import RADIUS_MM, Points, as_points, match_points, near_pairs, pairs_within

Values = NDArray[np.float64]

HALF_SIDE_MM = 0.01125
"""Half of the 22.5 um square that the challenge draws around a point for average precision: two squares that are
7.5 um apart along an axis overlap with an IoU of 0.5."""


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
class RoiPoints:
    """True figures of one ROI and what was found there.

    truth_mm (N, 2), found_mm (M, 2): x y in float64 mm, figures in file order. scores (M,): float64, any finite range.
    Raises ValueError where shapes disagree or a value is not finite.
    """

    truth_mm: Points
    found_mm: Points
    scores: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth_mm", as_points(self.truth_mm))
        object.__setattr__(self, "found_mm", as_points(self.found_mm))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float64))
        if self.scores.shape != (len(self.found_mm),) or not np.isfinite(self.scores).all():
            raise ValueError(f"scores must be ({len(self.found_mm)},) and finite, got {self.scores.shape}")

    def at_least(self, threshold: float) -> RoiPoints:
        """The same figures, and the found points with score >= threshold in their order."""
        keep = self.scores >= threshold
        return RoiPoints(self.truth_mm, self.found_mm[keep], self.scores[keep])


@dataclass(frozen=True, eq=False)
class Sweep:
    """Pooled counts at every threshold that changes them.

    thresholds: (K,) float64, the distinct scores, falling. tp, fp: (K,) int64, with all points of score >= threshold.
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
    """The challenge's counts, pooled over ROIs: first the threshold (score >= it), then the matching."""
    total = Counts()
    for roi in rois:
        matches = match_points(roi.truth_mm, roi.at_least(threshold).found_mm)
        total += Counts(matches.tp, matches.fp, matches.fn)
    return total


def sweep(rois: Sequence[RoiPoints]) -> Sweep:
    """`counts_at` for every distinct score, exactly, in one pass over the found points by falling score."""
    scores = np.concatenate([roi.scores for roi in rois]) if rois else np.zeros(0)
    hits = np.concatenate([found_hits(roi) for roi in rois]) if rois else np.zeros(0, bool)
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last_of_each = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)[: len(falling)])
    tp = np.cumsum(hits[order], dtype=np.int64)[last_of_each]
    return Sweep(
        thresholds=falling[last_of_each],
        tp=tp,
        fp=last_of_each + 1 - tp,
        figures=sum(len(roi.truth_mm) for roi in rois),
    )


def best_threshold(sweep: Sweep) -> float:
    """The threshold t in (0, 1] with the best F1: the middle of the widest range of t that has it.

    F1 is a step function of t that changes at the scores only. Of all ranges between two changes with the highest F1
    the widest is taken (of equally wide ones, the highest), since its middle bears most drift of the scores. Where
    nothing is hit at any threshold, F1 is 0 on all of (0, 1] and the answer is 0.5; so it is without any figure, where
    no threshold can be told from another.
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


def average_precision(rois: Sequence[RoiPoints], *, half_side_mm: float = HALF_SIDE_MM, iou: float = 0.5) -> float:
    """Average precision of squares of side 2 * `half_side_mm` around the points, in [0, 1]; NaN without figures.

    COCO's (pycocotools `COCOeval`, one class): per ROI, by falling score (ties in their order), each point takes the
    free figure that it overlaps most, if the IoU is at least `iou`; precision at recall r is the highest at any recall
    >= r; its mean over r = 0, 0.01, … 1. No cap on the points of an ROI, as the challenge sets none.
    """
    figures = sum(len(roi.truth_mm) for roi in rois)
    if figures == 0:
        return math.nan
    scores = np.concatenate([roi.scores for roi in rois])
    hits = np.concatenate([overlap_hits(roi, half_side_mm, iou) for roi in rois])
    tp = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    return interpolated_precision(tp, np.arange(1, len(tp) + 1), figures)


def interpolated_precision(tp: IntArray, found: IntArray, figures: int) -> float:
    """Mean over r = 0, 0.01, … 1 of the highest precision at any recall >= r, as COCO has it; 0 where none is.

    tp, found: (N,) hits and points so far, by falling score; at hits alone is enough, as precision peaks nowhere else.
    """
    precision = tp / np.maximum(found, 1)
    highest_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    first_with_recall = np.searchsorted(tp / figures, np.linspace(0, 1, 101), side="left")
    return float(np.append(highest_from_here, 0.0)[first_with_recall].mean())


def ratios(part: IntArray | Values, whole: IntArray | Values) -> Values:
    """part / whole, NaN where `whole` is 0."""
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole != 0)
    return out


def found_hits(roi: RoiPoints) -> NDArray[np.bool_]:
    """For each found point (M,): does the number of hit figures grow when it joins those of higher score?

    The greedy rule is a serial dictatorship: figures choose in file order, each the (distance, index) that it likes
    best. A newcomer therefore changes nothing before the first figure that likes it better than what it has; that
    figure takes it, and what it gives up is in turn a newcomer to the figures after it (those before have turned it
    down, and figures only ever trade up). So the matching is at every step the plain rule's for the points so far.
    """
    pairs = pairs_within(roi.truth_mm, roi.found_mm, RADIUS_MM)
    by_point = np.argsort(pairs.found, kind="stable")  # the figures within reach of a point stay in file order
    figures, distances = pairs.truth[by_point].tolist(), pairs.distance[by_point].tolist()
    ends = np.searchsorted(pairs.found[by_point], np.arange(len(roi.found_mm) + 1)).tolist()
    nobody = (math.inf, -1)
    holders = [nobody] * len(roi.truth_mm)  # (distance, index) of the point that each figure has
    adds = np.zeros(len(roi.found_mm), bool)
    for newcomer in np.argsort(-roi.scores, kind="stable").tolist():
        point = newcomer
        while point >= 0:
            reach = range(ends[point], ends[point + 1])
            taker = next((at for at in reach if (distances[at], point) < holders[figures[at]]), None)
            if taker is None:
                break
            given_up = holders[figures[taker]][1]
            holders[figures[taker]] = (distances[taker], point)
            point = given_up
        adds[newcomer] = point < 0
    return adds


def overlap_hits(roi: RoiPoints, half_side_mm: float, iou: float) -> NDArray[np.bool_]:
    """For each found point (M,): does its square take a figure's, by COCO's rule?"""
    at_found, at_truth = near_pairs(roi.found_mm, roi.truth_mm, 2 * half_side_mm, norm=np.inf)
    overlap = _iou(roi.found_mm[at_found], roi.truth_mm[at_truth], half_side_mm)
    enough = overlap >= iou
    at_found, figures, overlaps = at_found[enough], at_truth[enough].tolist(), overlap[enough].tolist()
    ends = np.searchsorted(at_found, np.arange(len(roi.found_mm) + 1)).tolist()
    taken = [False] * len(roi.truth_mm)
    hits = np.zeros(len(roi.found_mm), bool)
    for point in np.argsort(-roi.scores, kind="stable").tolist():
        free = [(overlaps[at], figures[at]) for at in range(ends[point], ends[point + 1]) if not taken[figures[at]]]
        if free:
            taken[max(free)[1]] = hits[point] = True  # of equal overlaps the later figure, as in COCO
    return hits


def _iou(first: Points, second: Points, half_side: float) -> Values:
    """IoU (P,) of squares around the points (P, 2) and (P, 2)."""
    low = np.maximum(first - half_side, second - half_side)
    high = np.minimum(first + half_side, second + half_side)
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return np.asarray(shared / (2 * (2 * half_side) ** 2 - shared))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
