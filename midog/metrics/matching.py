"""One-to-one matching of found points to true figures within a radius, as the MIDOG challenge
matches them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from midog.boxes import IntArray

Points = NDArray[np.float64]

RADIUS_MM = 0.0075
"""The challenge's radius, 7.5 um: the distance up to which a found point is a figure's."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Which found point each true figure took.

    truth_to_found: (N,) int64, index of the found point, -1 for a missed figure. No found point
    stands twice.
    n_found: number of found points, matched or not.
    """

    truth_to_found: IntArray
    n_found: int

    @property
    def tp(self) -> int:
        """Figures that were found."""
        return int(np.count_nonzero(self.truth_to_found >= 0))

    @property
    def fp(self) -> int:
        """Found points that are no figure's."""
        return self.n_found - self.tp

    @property
    def fn(self) -> int:
        """Figures that were missed."""
        return len(self.truth_to_found) - self.tp


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every (figure, found point) within the radius, sorted by figure, then distance, then found
    point.

    truth, found: (P,) int64 indices. distance: (P,) float64, mm.
    """

    truth: IntArray
    found: IntArray
    distance: Points


def match_points(truth: Points, found: Points, *, radius_mm: float = RADIUS_MM) -> Matches:
    """The challenge's greedy rule: each figure, in the order given, takes the nearest found point
    not yet taken.

    truth (N, 2), found (M, 2): x y in float64 mm (px * mpp / 1000); either may be empty.
    A distance of up to `radius_mm` matches; of equally near points the one with the lower index is
    taken. The result depends on the order of `truth`: it is no optimal assignment, because the
    challenge's is none.

    It gives the counts of `score_detection` (evalutils 0.4.2, now in grand-challenge-metrics), with
    the same arithmetic: squared distance <= radius * radius, nearest by the root of it. Only where
    a distance is the radius to within its rounding can the two differ, since the ball tree there
    may decide by the bounds of its balls. Raises ValueError where an array is not (·, 2) or not
    finite.
    """
    truth, found = as_points(truth), as_points(found)
    pairs = pairs_within(truth, found, radius_mm)
    truth_to_found = np.full(len(truth), -1, np.int64)
    taken = np.zeros(len(found), bool)
    for figure, point in zip(pairs.truth.tolist(), pairs.found.tolist(), strict=True):
        if truth_to_found[figure] < 0 and not taken[point]:
            truth_to_found[figure] = point
            taken[point] = True
    return Matches(truth_to_found, len(found))


def pairs_within(truth: Points, found: Points, radius_mm: float) -> Pairs:
    """All pairs of (N, 2) and (M, 2) points at a distance of up to `radius_mm`."""
    # The tree rounds in its own way at the rim, so it proposes a little more and the exact test
    # decides.
    at_truth, at_found = near_pairs(truth, found, radius_mm * (1 + 1e-9))
    difference = truth[at_truth] - found[at_found]
    squared = difference[:, 0] * difference[:, 0] + difference[:, 1] * difference[:, 1]
    inside = squared <= radius_mm * radius_mm
    at_truth, at_found, distance = at_truth[inside], at_found[inside], np.sqrt(squared[inside])
    order = np.lexsort((at_found, distance, at_truth))
    return Pairs(at_truth[order], at_found[order], distance[order])


def near_pairs(
    first: Points, second: Points, reach: float, norm: float = 2.0
) -> tuple[IntArray, IntArray]:
    """Indices (P,), (P,) of the pairs of (N, 2) and (M, 2) points that a k-d tree finds within
    `reach`.

    norm: 2 for the distance, np.inf for the larger of |dx| and |dy|. Sorted by the first index,
    then the second.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    lists: Any = cKDTree(second).query_ball_point(first, reach, p=norm, return_sorted=True)
    lengths = np.fromiter(map(len, lists), np.int64, count=len(lists))
    at_second = np.fromiter(chain.from_iterable(lists), np.int64, count=int(lengths.sum()))
    return np.repeat(np.arange(len(first)), lengths), at_second


def as_points(values: Any) -> Points:
    """Points (N, 2) float64; an empty list is (0, 2). Raises ValueError for another shape or a
    value not finite."""
    points = np.asarray(values, dtype=np.float64)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points must be (N, 2), got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"point {int(np.argmin(np.isfinite(points).all(axis=1)))} is not finite")
    return points
