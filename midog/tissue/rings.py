"""Areas bounded by rings of points, filled on a grid of px."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.tissue.rules import Mask

Ring = NDArray[np.float64]
"""(N, 2) x y; its last point is joined to its first."""


def fill_area(mask: Mask, rings: Sequence[Ring], value: bool = True) -> None:
    """Set the px whose middle lies in an area; by even-odd, so that inner rings are holes.

    Args:
        mask: (h, w) bool, changed in place; px x, y reaches from x to x + 1.
        rings: of one area, in px of the mask; they may reach beyond it.
        value: what to set.
    """
    height, width = mask.shape
    starts = np.concatenate([np.zeros((0, 2)), *rings])
    ends = np.concatenate([np.zeros((0, 2)), *(np.roll(ring, -1, axis=0) for ring in rings)])
    if not len(starts):
        return
    # edges cross the middles of rows y + 0.5 with low <= y + 0.5 < high
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    first, last = (np.clip(np.ceil(y - 0.5), 0, height).astype(np.int64) for y in (low, high))
    top, bottom = int(first.min()), int(last.max())
    if top >= bottom:
        return
    counts = last - first
    edge = np.repeat(np.arange(len(starts)), counts)
    row = np.repeat(first, counts) + _count_up(counts)
    (x1, y1), (x2, y2) = starts[edge].T, ends[edge].T
    x = x1 + (row + 0.5 - y1) * (x2 - x1) / (y2 - y1)
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    crossings = np.zeros((bottom - top, width + 1), np.uint8)  # a sum of 256 is even too
    np.add.at(crossings, (row - top, column), 1)
    inside = np.cumsum(crossings[:, :width], axis=1, dtype=np.uint8) & 1
    mask[top:bottom][inside.astype(bool)] = value


def _count_up(lengths: NDArray[np.int64]) -> NDArray[Any]:
    """0, 1, … up to each of the lengths, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
