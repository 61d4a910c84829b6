"""The places of a window's centre in a box at which the points that it holds change.

Whatever set of points the window holds at some place of a box, it holds them at one of these
places too, as windows are closed. Lengths are in units of the window's width and height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.metrics.points import Points

Counts = NDArray[np.int64]

REACH = 0.5 + 1e-9
"""From the centre of a window to its border: points on the border are in it whatever rounding."""

_EXACT = 1e-12  # more than rounding moves a place
_AT_A_TIME = 1 << 22  # places times points, so that memory stays small


@dataclass(frozen=True, eq=False)
class Places:
    """The most points that the window holds in a box, and a place of each set of as many.

    count: Number of points. centres: (P, 2).
    """

    count: int
    centres: Points


def rectangle_places(
    points: Points, weights: Counts, corners: tuple[Points, Points], sure: int, least: int
) -> Places:
    """Try the places of a square of side 1.

    Args:
        points: (N, 2), those that are in the square at some places of the box and not at others.
        weights: (N,) int64, how many points each is.
        corners: (2,) upper left and (2,) lower right of the box of its centre.
        sure: Points that it holds everywhere in the box.
        least: Fewer are of no interest: no places are returned then.
    """
    low, high = corners
    x, y = (_starts(points[:, axis], low[axis], high[axis]) for axis in (0, 1))
    in_x = np.abs(points[:, 0] - x[:, None]) <= REACH + _EXACT
    in_y = np.abs(points[:, 1] - y[:, None]) <= REACH + _EXACT
    counts = (in_x * weights.astype(np.float64)) @ in_y.T.astype(np.float64)  # exact to 2^53
    most = int(counts.max())
    if sure + most < least:
        return Places(sure + most, points[:0])
    column, row = np.nonzero(counts == most)
    return _distinct(np.stack([x[column], y[row]], 1), in_x[column] & in_y[row], sure + most)


def circle_places(
    points: Points, weights: Counts, corners: tuple[Points, Points], sure: int, least: int
) -> Places:
    """Try the places of a circle of diameter 1; see `rectangle_places`.

    A set of points is in the circle where circles around them overlap in the box. That region has
    a corner where two of these cross, where one crosses the box's edge, or at a corner of the box;
    or it is a whole circle, around a point that is in the box.
    """
    low, high = corners
    of_box = np.array([(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])])
    tried = [of_box, points, _crossings(points)]
    for axis in (0, 1):
        for edge in (low[axis], high[axis]):
            away = np.sqrt(np.maximum(REACH**2 - (points[:, axis] - edge) ** 2, 0))
            for sign in (-1, 1):
                place = np.empty_like(points)
                place[:, axis], place[:, 1 - axis] = edge, points[:, 1 - axis] + sign * away
                tried.append(place)
    places = np.concatenate(tried)
    places = places[((places >= low - _EXACT) & (places <= high + _EXACT)).all(axis=1)]
    parts = np.array_split(places, -(-len(places) * max(len(points), 1) // _AT_A_TIME))
    inside = np.concatenate([_inside_circle(part, points) for part in parts])
    counts = inside @ weights
    most = int(counts.max())
    if sure + most < least:
        return Places(sure + most, points[:0])
    best = counts == most
    return _distinct(places[best], inside[best], sure + most)


def _inside_circle(places: Points, points: Points) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(*np.moveaxis(places[:, None] - points, 2, 0)) <= REACH + _EXACT)


def _starts(values: Points, low: float, high: float) -> Points:
    """Places along an axis at which a point comes in, from the box's start on."""
    starts = values - REACH
    return np.unique(np.append(starts[(starts >= low) & (starts <= high)], low))


def _crossings(points: Points) -> Points:
    """Where circles of the window's radius around two of the points cross."""
    first, second = np.triu_indices(len(points), 1)
    middle, apart = (points[first] + points[second]) / 2, points[second] - points[first]
    half = np.hypot(*apart.T) / 2
    near = half <= REACH
    middle, apart, half = middle[near], apart[near], half[near]
    away = (np.sqrt(REACH**2 - half**2) / (2 * half))[:, None] * apart[:, ::-1] * [-1, 1]
    return np.concatenate([middle - away, middle + away])


def _distinct(centres: Points, inside: NDArray[np.bool_], count: int) -> Places:
    """One place for each set of points; the first in order of y, then x."""
    order = np.lexsort((centres[:, 0], centres[:, 1]))
    _, first = np.unique(inside[order], axis=0, return_index=True)
    return Places(count, centres[order][np.sort(first)])
