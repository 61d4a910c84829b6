"""Which points of two lists are near each other, for many ROIs at once, by a grid."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from midog.boxes import IntArray
from midog.metrics.points import Points

_CELL = 4.0
"""Side of a cell of the grid in reaches: over 2, so that what is within reach of a point lies in at
most 2 x 2 cells."""
_CELL_BITS = 21
"""Cells along an axis, as a power of 2; what lies further out is put into the last cell. With a
reach of 7.5 um that is 31 m to either side."""

MOST_PAIRS = 1 << 20
"""Pairs that are in memory at a time, about: dense points of 6 MB have 60 million."""


def near_pairs(
    first: Points, first_roi: IntArray, second: Points, second_roi: IntArray, reach: float
) -> tuple[IntArray, IntArray]:
    """Propose the pairs of points of the same ROI that lie within reach along both axes.

    Pairs are only proposed, so that the caller measures them: a few come that are out of reach.
    Rounding loses none, as it never turns a <= b round on the way from coordinates to cells.

    Args:
        first: (N, 2) float64, finite.
        first_roi: (N,) int64, 0 to 2^20: the ROI of each point.
        second: (M, 2) float64, finite.
        second_roi: (M,) int64, as `first_roi`.
        reach: The most that |dx| and |dy| may be, > 0.

    Returns:
        Indices (P,) into `first` and (P,) into `second`, int64. A pair comes once, in no order.
    """
    cells = _cell_of(second, second_roi, reach)
    order = np.argsort(cells)
    cells = cells[order]
    at_first, cells_in_reach = _cells_in_reach(first, first_roi, reach)
    begin = np.searchsorted(cells, cells_in_reach, side="left")
    lengths = np.searchsorted(cells, cells_in_reach, side="right") - begin
    before = np.cumsum(lengths) - lengths
    at_second = order[np.arange(lengths.sum()) + np.repeat(begin - before, lengths)]
    return np.repeat(at_first, lengths), at_second


def near_counts(
    first: Points, first_roi: IntArray, second: Points, second_roi: IntArray, reach: float
) -> IntArray:
    """Count the pairs (N,) of each of the first that `near_pairs` would propose."""
    cells = np.sort(_cell_of(second, second_roi, reach))
    at_first, in_reach = _cells_in_reach(first, first_roi, reach)
    lengths = np.searchsorted(cells, in_reach, side="right")
    lengths -= np.searchsorted(cells, in_reach, side="left")
    return np.bincount(at_first, weights=lengths, minlength=len(first)).astype(np.int64)


def blocks_of(counts: IntArray, most: int = MOST_PAIRS) -> Iterator[slice]:
    """Divide what has so many pairs each (N,) into blocks of at most that many; one alone may have
    more."""
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(begin, end)
        begin = end


def _cells_in_reach(points: Points, roi: IntArray, reach: float) -> tuple[IntArray, IntArray]:
    """(Q,), (Q,): a point, and a cell that holds some of what is within its reach; all such pairs,
    none twice."""
    (left, top), (right, bottom) = (points - reach).T, (points + reach).T
    corners = np.stack(
        [
            _cell_of(np.stack([x, y], axis=1), roi, reach)
            for x, y in product((left, right), (top, bottom))
        ]
    )
    fresh = np.ones(corners.shape, bool)
    for at in range(1, 4):
        fresh[at] = (corners[at] != corners[:at]).all(axis=0)
    which, point = np.nonzero(fresh)
    return point, corners[which, point]


def _cell_of(points: Points, roi: IntArray, reach: float) -> IntArray:
    """One number (N,) for the ROI and the cell in it of each point (N, 2)."""
    half = 1 << (_CELL_BITS - 1)
    cells = np.clip(np.floor(points / (_CELL * reach)), -half, half - 1).astype(np.int64) + half
    return np.asarray((roi << _CELL_BITS | cells[:, 0]) << _CELL_BITS | cells[:, 1])
