"""Which found points hit a figure, by the challenge's radius and by overlap, at all thresholds and
in all ROIs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.matching import RADIUS_MM, Points, as_points
from midog.metrics.near_pairs import near_pairs

Values = NDArray[np.float64]

HALF_SIDE_MM = 0.01125
"""Half of the 22.5 um square that the challenge draws around a point for average precision: two
squares that are 7.5 um apart along an axis overlap with an IoU of 0.5."""


@dataclass(frozen=True, eq=False)
class RoiPoints:
    """True figures of one ROI and what was found there.

    truth_mm (N, 2), found_mm (M, 2): x y in float64 mm, figures in file order. scores (M,):
    float64, any finite range. Raises ValueError where shapes disagree or a value is not finite.
    """

    truth_mm: Points
    found_mm: Points
    scores: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth_mm", as_points(self.truth_mm))
        object.__setattr__(self, "found_mm", as_points(self.found_mm))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float64))
        if self.scores.shape != (len(self.found_mm),) or not np.isfinite(self.scores).all():
            raise ValueError(
                f"scores must be ({len(self.found_mm)},) and finite, got {self.scores.shape}"
            )

    def at_least(self, threshold: float) -> RoiPoints:
        """The same figures, and the found points with score >= threshold in their order."""
        keep = self.scores >= threshold
        return RoiPoints(self.truth_mm, self.found_mm[keep], self.scores[keep])


@dataclass(frozen=True, eq=False)
class Hits:
    """The found points of R ROIs, one ROI after the other, and which of them hit a figure.

    scores (M,): float64. owner (M,): int64, the ROI of each. figures (R,): int64, true figures of
    each ROI. in_radius, overlapping (M,): bool, see `found_hits` and `overlap_hits`.
    """

    scores: Values
    owner: IntArray
    figures: IntArray
    in_radius: NDArray[np.bool_]
    overlapping: NDArray[np.bool_]

    @classmethod
    def of(cls, rois: Sequence[RoiPoints]) -> Hits:
        """Match each ROI once."""
        together = _Together.of(rois)
        figures = np.array([len(roi.truth_mm) for roi in rois], np.int64)
        return cls(
            together.scores,
            together.owner,
            figures,
            _radius_hits(together),
            _overlap_hits(together, HALF_SIDE_MM, 0.5),
        )

    def select(self, rois: Sequence[int] | IntArray) -> Hits:
        """Those of some ROIs, in the order given."""
        rois = np.asarray(rois, np.int64)
        lengths = np.bincount(self.owner, minlength=len(self.figures))
        begin, lengths = (np.cumsum(lengths) - lengths)[rois], lengths[rois]
        owner = np.repeat(np.arange(len(rois)), lengths)
        points = np.arange(len(owner)) + (begin - (np.cumsum(lengths) - lengths))[owner]
        return Hits(
            self.scores[points],
            owner,
            self.figures[rois],
            self.in_radius[points],
            self.overlapping[points],
        )


def found_hits(roi: RoiPoints) -> NDArray[np.bool_]:
    """For each found point (M,): does the number of hit figures grow when it joins those of higher
    score?

    By the challenge's rule, see `match_points`; of equal scores the first joins first.
    """
    return all_found_hits([roi])


def overlap_hits(roi: RoiPoints, half_side_mm: float, iou: float) -> NDArray[np.bool_]:
    """For each found point (M,): does its square take a figure's, by COCO's rule?"""
    return all_overlap_hits([roi], half_side_mm, iou)


def all_found_hits(rois: Sequence[RoiPoints]) -> NDArray[np.bool_]:
    """`found_hits` of all ROIs, one ROI after the other."""
    return _radius_hits(_Together.of(rois))


def all_overlap_hits(
    rois: Sequence[RoiPoints], half_side_mm: float, iou: float
) -> NDArray[np.bool_]:
    """`overlap_hits` of all ROIs, one ROI after the other."""
    return _overlap_hits(_Together.of(rois), half_side_mm, iou)


@dataclass(frozen=True, eq=False)
class _Together:
    """The points of all ROIs in a row: figures (N, 2) with their ROI, found points (M, 2) with
    theirs and scores."""

    truth: Points
    truth_owner: IntArray
    found: Points
    owner: IntArray
    scores: Values

    @classmethod
    def of(cls, rois: Sequence[RoiPoints]) -> _Together:
        figures, points = (
            np.array([len(each) for each in lists], np.int64)
            for lists in ([roi.truth_mm for roi in rois], [roi.scores for roi in rois])
        )
        nowhere = np.zeros((0, 2))
        return cls(
            truth=np.concatenate([nowhere, *(roi.truth_mm for roi in rois)]),
            truth_owner=np.repeat(np.arange(len(rois)), figures),
            found=np.concatenate([nowhere, *(roi.found_mm for roi in rois)]),
            owner=np.repeat(np.arange(len(rois)), points),
            scores=np.concatenate([np.zeros(0), *(roi.scores for roi in rois)]),
        )

    def near(self, reach_mm: float) -> tuple[IntArray, IntArray]:
        """Pairs (figure, point) of one ROI that may be in reach along both axes: a little more, for
        the rounding."""
        return near_pairs(
            self.truth, self.truth_owner, self.found, self.owner, reach_mm * (1 + 1e-9)
        )


def _radius_hits(points: _Together) -> NDArray[np.bool_]:
    figure, point = points.near(RADIUS_MM)
    difference = points.truth[figure] - points.found[point]
    squared = (
        difference[:, 0] * difference[:, 0] + difference[:, 1] * difference[:, 1]
    )  # to the bit as `pairs_within`
    inside = squared <= RADIUS_MM * RADIUS_MM
    figure, point, distance = figure[inside], point[inside], np.sqrt(squared[inside])
    hits, crowded = _lone_figures(figure, point, points)
    hits[_adders(figure[crowded], point[crowded], distance[crowded], points.scores)] = True
    return hits


def _overlap_hits(points: _Together, half_side: float, iou: float) -> NDArray[np.bool_]:
    figure, point = points.near(2 * half_side)
    overlap = _iou(points.found[point], points.truth[figure], half_side)
    touching = (
        np.abs(points.found[point] - points.truth[figure]).max(axis=1, initial=0) <= 2 * half_side
    )
    enough = touching & (overlap >= iou)
    figure, point, overlap = figure[enough], point[enough], overlap[enough]
    hits, crowded = _lone_figures(figure, point, points)
    hits[_takers(figure[crowded], point[crowded], overlap[crowded], points.scores)] = True
    return hits


def _lone_figures(
    figure: IntArray, point: IntArray, points: _Together
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Hits (M,) of the figures that share no point with another, and which of the pairs (P,) are of
    other figures.

    Most figures are such, and by either rule the first point in reach hits: of the highest score,
    of these the first.
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
    hits = np.zeros(len(points.scores), bool)
    hits[first[first < none]] = True
    return hits, of_crowded


def _adders(figure: IntArray, point: IntArray, distance: Values, scores: Values) -> list[int]:
    """The points of these pairs (P,) with which the number of hit figures grows, as `found_hits`
    says.

    The greedy rule is a serial dictatorship: figures choose in file order, each the (distance,
    index) that it likes best. A newcomer therefore changes nothing before the first figure that
    likes it better than what it has; that figure takes it, and what it gives up is in turn a
    newcomer to the figures after it (those before have turned it down, and figures only ever trade
    up). So the matching is at every step the plain rule's for the points so far.
    """
    nobody = (math.inf, -1)
    holders = dict.fromkeys(
        figure.tolist(), nobody
    )  # (distance, index) of the point that each figure has
    adders = []
    reach = _by_point(figure, point, distance)
    for newcomer in _falling(point, scores):
        at: int = newcomer
        while at >= 0:
            taker = next((each for each in reach[at] if (each[1], at) < holders[each[0]]), None)
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
    reach = _by_point(figure, point, overlap)
    taken: set[int] = set()
    takers = []
    for at in _falling(point, scores):
        free = [(overlaps, each) for each, overlaps in reach[at] if each not in taken]
        if free:
            taken.add(max(free)[1])  # of equal overlaps the later figure, as in COCO
            takers.append(at)
    return takers


def _by_point(
    figure: IntArray, point: IntArray, value: Values
) -> dict[int, list[tuple[int, float]]]:
    """The (figure, value) of each point's pairs, figures in file order."""
    order = np.lexsort((figure, point))
    reach: dict[int, list[tuple[int, float]]] = {at: [] for at in point.tolist()}
    for at, each, its in zip(
        point[order].tolist(), figure[order].tolist(), value[order].tolist(), strict=True
    ):
        reach[at].append((each, its))
    return reach


def _falling(point: IntArray, scores: Values) -> list[int]:
    """Each of the points once, by falling score; of equal scores the first comes first."""
    points = np.unique(point)
    order: list[int] = points[np.argsort(-scores[points], kind="stable")].tolist()
    return order


def _iou(first: Points, second: Points, half_side: float) -> Values:
    """IoU (P,) of squares around the points (P, 2) and (P, 2)."""
    low = np.maximum(first - half_side, second - half_side)
    high = np.minimum(first + half_side, second + half_side)
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return np.asarray(shared / (2 * (2 * half_side) ** 2 - shared))
