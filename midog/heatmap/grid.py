"""MapGrid: where the windows of a heat map lie, and how overlapping ones are averaged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from midog.boxes import FloatArray
from midog.mpp import Scale

_BLOCK_PX = 1024  # of the windows that are read together, unless one window is larger
_BAND = 256  # rows that are averaged at a time


@dataclass(frozen=True)
class Block:
    """Px of a map whose windows are read together: rows `top` to `bottom`, columns `left` to
    `right`, each without its end."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class MapGrid:
    """A map with a px for each `stride` x `stride` px of an image; a window around each.

    Attributes:
        size: (width, height) of the resampled image, px.
        scale: Px of the resampled image for a px of level 0, along x and y.
        side: Of what the probability of a window holds for, about its middle, px of the resampled
            image: the window, or the view of it with the most detail.
        stride: Side of what a px of the map stands for, px of the resampled image.
    """

    size: tuple[int, int]
    scale: Scale
    side: int
    stride: int

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the map, px."""
        width, height = self.size
        return math.ceil(height / self.stride), math.ceil(width / self.stride)

    @property
    def block_side(self) -> int:
        """Side of a block, px of the map."""
        return max(1, (_BLOCK_PX - self.side) // self.stride + 1)

    def block_rows(self) -> list[tuple[int, int]]:
        """First row and end of each row of blocks, from the top down."""
        height = self.shape[0]
        return [
            (top, min(top + self.block_side, height)) for top in range(0, height, self.block_side)
        ]

    def blocks(self, top: int, bottom: int) -> Iterator[Block]:
        """Yield the blocks of a row of blocks, from left to right."""
        width = self.shape[1]
        for left in range(0, width, self.block_side):
            yield Block(top, bottom, left, min(left + self.block_side, width))

    def boxes(self, top: int, bottom: int) -> NDArray[np.float64]:
        """What the px of some rows of the map stand for.

        Returns:
            (rows * width, 4) x1 y1 x2 y2 in level-0 px, row by row; they may end beyond the image.
        """
        rows, columns = np.mgrid[top:bottom, 0 : self.shape[1]]
        low = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
        corners = np.hstack([low, low + 1]) * self.stride
        return np.asarray(corners / (self.scale * 2))

    def centres(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Middles of some px of the map, (N, 2) x y in px of the resampled image."""
        middles = np.stack([columns, rows], axis=1) + 0.5
        return np.asarray(middles * self.stride, np.float64)


def overlap_weights(side: int, stride: int) -> NDArray[np.float64]:
    """How much of a px of the map the window around another px covers, along an axis.

    Args:
        side: Of a window, px.
        stride: Side of what a px of the map stands for, px.

    Returns:
        (2 n + 1,) in [0, 1]: for the px that are -n to n px of the map away.
    """
    reach = max(0, math.ceil((side / stride - 1) / 2))
    away = np.abs(np.arange(-reach, reach + 1))
    covered = (side + stride) / 2 - away * stride
    return np.asarray(np.clip(covered / stride, 0, min(1.0, side / stride)), np.float64)


def overlap_mean(probabilities: FloatArray, side: int, stride: int) -> FloatArray:
    """Average overlapping windows: a px of the map is the mean of all windows that cover it, by
    how much of it they cover.

    Args:
        probabilities: (h, w) float32 in [0, 1], of the window around each px; NaN where none was
            looked at.
        side, stride: As of `overlap_weights`.

    Returns:
        (h, w) float32 in [0, 1]; NaN where none was looked at.
    """
    weights = overlap_weights(side, stride)
    reach = len(weights) // 2
    mean = np.full(probabilities.shape, np.nan, np.float32)
    height = len(probabilities)
    for top in range(0, height, _BAND):
        first, end = max(top - reach, 0), min(top + _BAND + reach, height)
        band = probabilities[first:end].astype(np.float64)
        looked_at = ~np.isnan(band)
        total = _spread(np.where(looked_at, band, 0), weights)
        share = _spread(looked_at.astype(np.float64), weights)
        inner = slice(top - first, top - first + _BAND)
        seen = looked_at[inner]
        own = mean[top : top + _BAND]
        own[seen] = np.clip(total[inner][seen] / share[inner][seen], 0, 1)
    return mean


def _spread(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over neighbours by their weights along both axes; beyond the map is nothing."""
    for axis in (0, 1):
        values = ndimage.correlate1d(values, weights, axis=axis, mode="constant")
    return values
