"""TissueMask: how much of any box of a slide is tissue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.images.pixels import Pixels
from midog.mpp import Mpp, Scale
from midog.tissue.kinds import KINDS, LEFT_OUT, TISSUE
from midog.tissue.left_out import Kinds


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Which parts of an image are tissue.

    Attributes:
        kinds: (h, w) uint8, of KINDS.
        scale: Px of `kinds` for a px of level 0, along x and y.
        size: (width, height) of the image, level-0 px.
        mpp: um/px of level 0.
        source: What tells tissue: a rule with its threshold, or a file of areas.
        overview: The image in px of `kinds`, (h, w, 3) uint8 RGB; None where it was not read.
        name: What its px of kind TISSUE are, in words.
    """

    kinds: Kinds
    scale: Scale
    size: tuple[int, int]
    mpp: Mpp
    source: str
    overview: Pixels | None = field(default=None, repr=False)
    name: str = "tissue"

    @property
    def share(self) -> float:
        """Of the image that is tissue, 0 to 1."""
        width, height = self.size
        return float(self.share_in(np.array([[0, 0, width, height]]))[0])

    @property
    def area_mm2(self) -> float:
        """Of the tissue."""
        return self.share * math.prod(self.size) * self.mpp.x * self.mpp.y / 1e6

    @cached_property
    def left_out(self) -> Mapping[str, float]:
        """Shares of the image that are dark or coloured and no tissue, by words; without zeros."""
        counts = np.bincount(self.kinds.ravel(), minlength=len(KINDS)) / self.kinds.size
        return {KINDS[kind].words: float(counts[kind]) for kind in LEFT_OUT if counts[kind] > 0}

    def share_in(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """Return how much of boxes is tissue.

        Args:
            boxes: (N, 4) x1 y1 x2 y2, level-0 px; whole or parts of px, x1 < x2 and y1 < y2.

        Returns:
            (N,) in [0, 1]: of that part of a box which is in the image; 0 where none is.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        x1, x2 = np.clip(boxes[:, [0, 2]], 0, self.size[0]).T * self.scale[0]
        y1, y2 = np.clip(boxes[:, [1, 3]], 0, self.size[1]).T * self.scale[1]
        inside = self._upto(x2, y2) - self._upto(x1, y2) - self._upto(x2, y1) + self._upto(x1, y1)
        areas = (x2 - x1) * (y2 - y1)
        shares = np.divide(inside, areas, out=np.zeros_like(inside), where=areas > 0)
        return np.asarray(np.clip(np.round(shares, 9), 0, 1))  # sums are exact to 1e-10

    def contains(self, points: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which points lie on tissue.

        Args:
            points: (N, 2) x y, level-0 px; outside the image none is.
        """
        points = np.asarray(points, np.float64).reshape(-1, 2)
        within = (points >= 0) & (points < np.array(self.size))
        inside = np.asarray(within.all(axis=1))
        column, row = (np.where(inside[:, None], points, 0) * self.scale).astype(np.int64).T
        height, width = self.kinds.shape
        kinds = self.kinds[np.minimum(row, height - 1), np.minimum(column, width - 1)]
        return np.asarray(inside & (kinds == TISSUE))

    def line(self) -> str:
        """Say in one line how much tissue there is, and what is left out."""
        words = [f"{percent(self.share)} is {self.name}, {self.area_mm2:.3g} mm2 ({self.source})"]
        words += [f"left out: {percent(share)} {kind}" for kind, share in self.left_out.items()]
        return "; ".join(words)

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        """Px of tissue above and to the left of each corner of the grid."""
        height, width = self.kinds.shape
        sums = np.zeros((height + 1, width + 1))
        np.cumsum(self.kinds == TISSUE, axis=0, out=sums[1:, 1:])
        np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
        return sums

    def _upto(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Px of tissue in the box from 0 0 to x y, px of the mask: bilinear between corners, as a
        px is tissue everywhere or nowhere."""
        height, width = self.kinds.shape
        column = np.minimum(x.astype(np.int64), width - 1)
        row = np.minimum(y.astype(np.int64), height - 1)
        right, down = x - column, y - row
        sums = self._sums
        above = sums[row, column] * (1 - right) + sums[row, column + 1] * right
        below = sums[row + 1, column] * (1 - right) + sums[row + 1, column + 1] * right
        return np.asarray(above * (1 - down) + below * down)


def percent(share: float) -> str:
    """A share as per cent in few digits; what is neither none nor all is written as neither."""
    text = f"{100 * share:.3g}" if share < 0.1 else f"{100 * share:.1f}"
    if share > 0 and float(text) < 0.01:
        return "under 0.01 %"
    return f"{'99.9' if share < 1 and float(text) >= 100 else text} %"
