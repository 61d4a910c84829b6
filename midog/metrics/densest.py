"""Where a window holds the most points, over all its places: branch and bound, then exact.

The places of the window's centre are divided into boxes. Points in the window enlarged by a box
bound what any place in it holds, points in the window at its middle bound the best from below;
boxes that cannot reach the best are dropped, the others quartered. Where few points remain that
some places of a box hold and others do not, the places at which one comes in are tried one by one
(`midog.metrics.window_places`). A k-d tree counts, so that the work depends on how flat the
densest places are, hardly on the number of points.

Lengths are in units of the window's width and height: it reaches 0.5 from its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from midog.metrics.points import Points
from midog.metrics.window_places import (
    REACH,
    Counts,
    Places,
    circle_places,
    rectangle_places,
)

_FEW_OF_CIRCLE, _FEW_OF_SQUARE = 24, 64
"""Different points that a box's places may hold or not, for its places to be tried one by one."""

_SMALLEST = 1e-4  # of a box that is quartered: what lies on one border there is tried in any case
_EXACT = 1e-12  # more than rounding moves a border


@dataclass(frozen=True)
class Allowed:
    """Where the window's centre may be.

    Attributes:
        grid: (h, w) bool, allowed px.
        px: Width and height of a px, in units of the window's.
    """

    grid: NDArray[np.bool_]
    px: tuple[float, float]

    def counts(self, low: Points, high: Points) -> tuple[Counts, Counts]:
        """Allowed px, and px, of boxes (N, 2) whose corners are corners of px, or that are in one
        px."""
        sums = self._sums
        first = np.floor(low / self.px + 1e-6).astype(np.int64)
        last = np.maximum(np.ceil(high / self.px - 1e-6).astype(np.int64), first + 1)
        whole = np.prod(last - first, axis=1)
        (x1, y1), (x2, y2) = (
            np.clip(edge, 0, [self.grid.shape[1], self.grid.shape[0]]).T for edge in (first, last)
        )
        return sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1], whole

    @cached_property
    def _sums(self) -> Counts:
        """Allowed px above and to the left of each corner of the grid."""
        sums = np.zeros((self.grid.shape[0] + 1, self.grid.shape[1] + 1), np.int64)
        sums[1:, 1:] = self.grid.cumsum(axis=0).cumsum(axis=1)
        return sums


@dataclass(frozen=True)
class Densest:
    """The most points that a window holds, and places that hold as many.

    Attributes:
        count: Number of points.
        places: (P, 2) centres, at least one of each set of that many points.
    """

    count: int
    places: Points


def densest(points: Points, *, is_circle: bool, allowed: Allowed | None) -> Densest:
    """Find the most points that the window holds anywhere.

    Args:
        points: (N, 2), N > 0, in units of the window.
        is_circle: Whether the window is a circle of diameter 1, else a square of side 1; a point
            on its border is in it, or up to 1e-9 beyond.
        allowed: Where its centre may be; None: anywhere.

    Returns:
        The count, 0 and no place where the centre may be nowhere near a point.
    """
    search = _Search(points, is_circle, allowed)
    middles, half = search.root()
    while len(middles):
        middles, half = search.quarter(middles, half)
    kept = [places.centres for places in search.places if places.count == search.best]
    nothing = np.zeros((0, 2))
    return Densest(search.best if kept else 0, np.concatenate([nothing, *kept]))


class _Search:
    """Boxes of centres, the best count so far, and the places that were tried.

    best: At least 1, as a place that holds no point is of no use.
    """

    def __init__(self, points: Points, is_circle: bool, allowed: Allowed | None) -> None:
        self.best = 1
        self.places: list[Places] = []
        self._points, self._allowed = points, allowed
        self._tree = KDTree(points)
        self._different, self._weights = np.unique(points, axis=0, return_counts=True)
        self._different_tree = KDTree(self._different)
        self._few = _FEW_OF_CIRCLE if is_circle else _FEW_OF_SQUARE
        self._norm = 2 if is_circle else np.inf
        self._tried = circle_places if is_circle else rectangle_places

    def root(self) -> tuple[Points, Points]:
        """The middle (1, 2) and half the sides (2,) of a box that holds all centres of interest."""
        low, high = self._points.min(axis=0) - 0.01, self._points.max(axis=0) + 0.01
        if self._allowed is None:
            return (low + high)[None] / 2, (high - low) / 2
        # its corner and its quarters' are corners of px
        px = np.array(self._allowed.px)
        corner = np.floor((low - REACH) / px)
        steps = np.ceil((high + REACH) / px) - corner
        half = px * 2.0 ** np.ceil(np.log2(steps.max())) / 2
        return (corner * px + half)[None], half

    def quarter(self, middles: Points, half: Points) -> tuple[Points, Points]:
        """Look at boxes of one size; return the quarters of those that are not settled."""
        whole = np.ones(len(middles), bool)
        if self._allowed is not None:
            allowed, px = self._allowed.counts(middles - half, middles + half)
            middles, whole = middles[allowed > 0], (allowed == px)[allowed > 0]
        margin = float(np.hypot(*half) if self._norm == 2 else half.max()) + _EXACT
        most = self._count(middles, REACH + margin)
        kept = most >= self.best
        middles, whole, most = middles[kept], whole[kept], most[kept]
        here = self._count(middles[whole], REACH)
        self.best = max(self.best, int(here.max(initial=0)))
        kept = most >= self.best
        middles, whole, most = middles[kept], whole[kept], most[kept]
        unsure = self._count(middles, REACH + margin, self._different_tree)
        if margin < REACH:
            unsure -= self._count(middles, REACH - margin, self._different_tree)
        settled = whole & ((unsure <= self._few) | (half.max() < _SMALLEST))
        order = np.argsort(-most[settled], kind="stable")
        for middle in middles[settled][order]:
            self._try(middle, half, margin)
        middles = middles[~settled]
        corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)]) * half / 2
        return (middles[:, None] + corners).reshape(-1, 2), half / 2

    def _try(self, middle: Points, half: Points, margin: float) -> None:
        """Try the places of a box one by one."""
        near = self._different_tree.query_ball_point(middle, REACH + margin, p=self._norm)
        points, weights = self._different[near], self._weights[near]
        if weights.sum() < self.best:  # which was less when the box was looked at
            return
        sure = np.linalg.norm(points - middle, ord=self._norm, axis=1) <= REACH - margin
        corners, held = (middle - half, middle + half), int(weights[sure].sum())
        places = self._tried(points[~sure], weights[~sure], corners, held, self.best)
        if len(places.centres):
            self.best = places.count
            self.places.append(places)

    def _count(self, middles: Points, reach: float, tree: KDTree | None = None) -> Counts:
        """The points within reach of each place; of a tree of all, or another one."""
        if not len(middles):
            return np.zeros(0, np.int64)
        tree = tree or self._tree
        counts = tree.query_ball_point(middles, reach, p=self._norm, return_length=True)
        return np.asarray(counts, np.int64)
