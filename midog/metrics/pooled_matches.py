"""Which detections match a figure, by the challenge's radius and by overlap, at all thresholds and
in all ROIs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.dense_points import dense_by_overlap, dense_by_radius
from midog.metrics.matching import RADIUS_MM
from midog.metrics.near_pairs import MOST_PAIRS
from midog.metrics.points import RoiPoints, Values
from midog.metrics.pooled_points import PooledPoints, iou_of_squares

HALF_SIDE_MM = 0.01125
"""Half of the 22.5 um square that the challenge draws around a point for average precision: two
squares that are 7.5 um apart along an axis overlap with an IoU of 0.5."""


@dataclass(frozen=True, eq=False)
class PooledMatches:
    """The detections of R ROIs, one ROI after the other, and which of them match a figure.

    Attributes:
        scores: (M,) float64.
        owner: (M,) int64, the ROI of each detection.
        figures: (R,) int64, true figures of each ROI.
        by_radius: (M,) bool, see `matched_by_radius`.
        by_overlap: (M,) bool, see `matched_by_overlap`, with an IoU of 0.5.
    """

    scores: Values
    owner: IntArray
    figures: IntArray
    by_radius: NDArray[np.bool_]
    by_overlap: NDArray[np.bool_]

    @classmethod
    def of(cls, rois: Sequence[RoiPoints]) -> PooledMatches:
        """Match each ROI once."""
        together = PooledPoints.of(rois)
        figures = np.array([len(roi.truth_mm) for roi in rois], np.int64)
        return cls(
            together.scores,
            together.owner,
            figures,
            _matched_by_radius(together),
            _matched_by_overlap(together, HALF_SIDE_MM, 0.5),
        )

    def select(self, rois: Sequence[int] | IntArray) -> PooledMatches:
        """Those of some ROIs, in the order given."""
        rois = np.asarray(rois, np.int64)
        lengths = np.bincount(self.owner, minlength=len(self.figures))
        begin, lengths = (np.cumsum(lengths) - lengths)[rois], lengths[rois]
        owner = np.repeat(np.arange(len(rois)), lengths)
        points = np.arange(len(owner)) + (begin - (np.cumsum(lengths) - lengths))[owner]
        return PooledMatches(
            self.scores[points],
            owner,
            self.figures[rois],
            self.by_radius[points],
            self.by_overlap[points],
        )


def matched_by_radius(rois: Sequence[RoiPoints]) -> NDArray[np.bool_]:
    """Tell which detections match a figure by the challenge's rule, at all thresholds at once.

    A detection does if the number of matched figures grows when it joins those of higher score in
    its ROI, see `match_points`; of equal scores the first joins first.

    Args:
        rois: Points of R ROIs.

    Returns:
        (M,) bool, for the detections of one ROI after the other.
    """
    return _matched_by_radius(PooledPoints.of(rois))


def matched_by_overlap(
    rois: Sequence[RoiPoints], half_side_mm: float, iou: float
) -> NDArray[np.bool_]:
    """Tell which detections take a figure by COCO's rule, with squares around the points.

    Args:
        rois: Points of R ROIs.
        half_side_mm: Half of the squares' side.
        iou: The least overlap.

    Returns:
        (M,) bool, for the detections of one ROI after the other.
    """
    return _matched_by_overlap(PooledPoints.of(rois), half_side_mm, iou)


def _matched_by_radius(points: PooledPoints) -> NDArray[np.bool_]:
    if points.pairs(RADIUS_MM) > MOST_PAIRS:
        return dense_by_radius(points, RADIUS_MM)
    figure, point = points.near(RADIUS_MM)
    difference = points.truth[figure] - points.detected[point]
    # to the bit as `pairs_within`
    squared = difference[:, 0] * difference[:, 0] + difference[:, 1] * difference[:, 1]
    inside = squared <= RADIUS_MM * RADIUS_MM
    figure, point, distance = figure[inside], point[inside], np.sqrt(squared[inside])
    matched, crowded = _lone_figures(figure, point, points)
    matched[_adders(figure[crowded], point[crowded], distance[crowded], points.scores)] = True
    return matched


def _matched_by_overlap(points: PooledPoints, half_side: float, iou: float) -> NDArray[np.bool_]:
    if points.pairs(2 * half_side) > MOST_PAIRS:
        return dense_by_overlap(points, half_side, iou)
    figure, point = points.near(2 * half_side)
    overlap = iou_of_squares(points.detected[point], points.truth[figure], half_side)
    touching = (
        np.abs(points.detected[point] - points.truth[figure]).max(axis=1, initial=0)
        <= 2 * half_side
    )
    enough = touching & (overlap >= iou)
    figure, point, overlap = figure[enough], point[enough], overlap[enough]
    matched, crowded = _lone_figures(figure, point, points)
    matched[_takers(figure[crowded], point[crowded], overlap[crowded], points.scores)] = True
    return matched


def _lone_figures(
    figure: IntArray, point: IntArray, points: PooledPoints
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The detections (M,) that match figures which share no detection with another, and which of
    the pairs (P,) are of other figures.

    Most figures are such, and by either rule the first detection in reach matches: of the highest
    score, of these the first.
    """
    shared = np.bincount(point, minlength=len(points.scores))[point] > 1
    crowded = np.zeros(len(points.truth), bool)
    crowded[figure[shared]] = True
    of_crowded = crowded[figure]
    figure, point = figure[~of_crowded], point[~of_crowded]
    scores = points.scores[point]
    highest = np.full(len(points.truth), -np.inf)
    np.maximum.at(highest, figure, scores)
    best = scores == highest[figure]
    none = len(points.scores)
    first = np.full(len(points.truth), none)
    np.minimum.at(first, figure[best], point[best])
    matched = np.zeros(len(points.scores), bool)
    matched[first[first < none]] = True
    return matched, of_crowded


def _adders(figure: IntArray, point: IntArray, distance: Values, scores: Values) -> list[int]:
    """The points of these pairs (P,) with which the number of matched figures grows, as
    `matched_by_radius` says.

    The greedy rule is a serial dictatorship: figures choose in file order, each the (distance,
    index) that it likes best. A newcomer therefore changes nothing before the first figure that
    likes it better than what it has; that figure takes it, and what it gives up is in turn a
    newcomer to the figures after it (those before have turned it down, and figures only ever trade
    up). So the matching is at every step `match_points`'s for the points so far.
    """
    nobody = (math.inf, -1)
    # (distance, index) of the point that each figure has
    holders = dict.fromkeys(figure.tolist(), nobody)
    adders = []
    in_reach = _by_point(figure, point, distance)
    for newcomer in _falling(point, scores):
        at: int = newcomer
        while at >= 0:
            taker = next(
                (
                    (figure, apart)
                    for figure, apart in in_reach[at]
                    if (apart, at) < holders[figure]
                ),
                None,
            )
            if taker is None:
                break
            given_up = holders[taker[0]][1]
            holders[taker[0]] = (taker[1], at)
            at = given_up
        else:
            adders.append(newcomer)
    return adders


def _takers(figure: IntArray, point: IntArray, overlap: Values, scores: Values) -> list[int]:
    """The points of these pairs (P,) that take a figure: by falling score, each the free one that
    it overlaps most."""
    in_reach = _by_point(figure, point, overlap)
    taken: set[int] = set()
    takers = []
    for at in _falling(point, scores):
        free = [(overlaps, figure) for figure, overlaps in in_reach[at] if figure not in taken]
        if free:
            taken.add(max(free)[1])  # of equal overlaps the later figure, as in COCO
            takers.append(at)
    return takers


def _by_point(
    figure: IntArray, point: IntArray, value: Values
) -> dict[int, list[tuple[int, float]]]:
    """The (figure, value) of each point's pairs, figures in file order."""
    order = np.lexsort((figure, point))
    in_reach: dict[int, list[tuple[int, float]]] = {at: [] for at in point.tolist()}
    pairs = (point[order].tolist(), figure[order].tolist(), value[order].tolist())
    for at, its_figure, its_value in zip(*pairs, strict=True):
        in_reach[at].append((its_figure, its_value))
    return in_reach


def _falling(point: IntArray, scores: Values) -> list[int]:
    """Each of the points once, by falling score; of equal scores the first comes first."""
    points = np.unique(point)
    order: list[int] = points[np.argsort(-scores[points], kind="stable")].tolist()
    return order
