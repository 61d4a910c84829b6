"""Which points of two lists are near each other, for many ROIs at once, by a grid."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray

Points = NDArray[np.float64]

_CELL = 4.0
"""Side of a cell of the grid in reaches: over 2, so that what is in reach of a point lies in at
most 2 x 2 cells."""
_CELL_BITS = 21
"""Cells along each axis; what lies further out is put in the last one. At 7.5 um that is 31 m to
either side."""


def near_pairs(
    first: Points, first_roi: IntArray, second: Points, second_roi: IntArray, reach: float
) -> tuple[IntArray, IntArray]:
    """Indices (P,), (P,) of all pairs of the same ROI of which neither |dx| nor |dy| is over
    `reach`, and of some more.

    first (N, 2), second (M, 2): float64, finite. *_roi: (N,), (M,) int64, 0 to 2^20. Each pair
    comes once, in no order. Pairs are only proposed, so that the caller measures them; rounding
    loses none, as it never turns a <= b round on the way from coordinates to cells.
    """
    cells = _cell_of(second, second_roi, reach)
    order = np.argsort(cells)
    cells = cells[order]
    at_first, wanted = _cells_in_reach(first, first_roi, reach)
    begin = np.searchsorted(cells, wanted, side="left")
    lengths = np.searchsorted(cells, wanted, side="right") - begin
    before = np.cumsum(lengths) - lengths
    at_second = order[np.arange(lengths.sum()) + np.repeat(begin - before, lengths)]
    return np.repeat(at_first, lengths), at_second


def _cells_in_reach(points: Points, roi: IntArray, reach: float) -> tuple[IntArray, IntArray]:
    """(Q,), (Q,): the cells that hold whatever is in reach of a point (N,), each once."""
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
