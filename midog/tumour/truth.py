"""SlideTruth: where a slide is tumour, asked by points, boxes or px of a level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from midog.tissue.rules import Mask

ReadMask = Callable[[int, int, int, int, float], Mask]
"""(x, y, width, height, downsample) -> (height, width) bool, as `SlideTruth.mask`; asked only for
what lies wholly in the slide."""

_POINTS = 64
"""A box is sampled by at least that many points along its shorter side, or by all its px."""

_BLOCK = 2048  # points along a side of what is looked at together


@dataclass(frozen=True, eq=False)
class SlideTruth:
    """Where a slide is tumour; all is in px of level 0, x to the right and y down.

    Attributes:
        size: (width, height) of the slide, level-0 px.
        source: Where this is from, for lines and records.
        has_tumour: Whether any tumour is outlined; of a mask, as a coarse level of it shows.
        read: Px of a level; see `ReadMask`.
        close: Closes the file that it is read from. Use the truth in `with`, or call this.
    """

    size: tuple[int, int]
    source: str
    has_tumour: bool
    read: ReadMask
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def mask(
        self, x: int, y: int, width: int, height: int, downsample: float = 1
    ) -> NDArray[np.bool_]:
        """Return which px of a region of a level are tumour, by their middles.

        Args:
            x, y: Its left upper corner, px of that level; any integers.
            width, height: Its size, px of that level.
            downsample: Level-0 px for a px of that level, 1 or more.

        Returns:
            (height, width) bool; False outside the slide.
        """
        out = np.zeros((height, width), bool)
        end_x, end_y = (_below(side / downsample) for side in self.size)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, end_x), min(y + height, end_y)
        if left < right and top < bottom:
            part = self.read(left, top, right - left, bottom - top, downsample)
            out[top - y : bottom - y, left - x : right - x] = part
        return out

    def contains(self, points: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which points are tumour.

        Args:
            points: (N, 2) x y, level-0 px; that of the px around it. Outside the slide none is.
        """
        corners = np.floor(np.asarray(points, np.float64).reshape(-1, 2))
        return self.share_in(np.hstack([corners, corners + 1])) > 0.5

    def share_in(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """Return how much of boxes is tumour.

        It is counted on a grid of points, the middles of px of a level: on all px of level 0 for
        boxes of under 128 px, and on 64 to 128 along the shorter side of wider ones.

        Args:
            boxes: (N, 4) x1 y1 x2 y2, level-0 px, each at least 1 px wide and high.

        Returns:
            (N,) in [0, 1]; what lies outside the slide is no tumour.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        shares = np.zeros(len(boxes))
        if not len(boxes):
            return shares
        shorter = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
        assert shorter.min() >= 1 - 1e-9, "boxes are at least 1 px wide"
        steps = 2 ** np.floor(np.log2(np.maximum(shorter / _POINTS, 1))).astype(np.int64)
        # px i of a grid has its middle at (i + 0.5) * step
        places = np.ceil(boxes / steps[:, None] - 0.5).astype(np.int64)
        keys = np.column_stack([steps, places[:, :2] // _BLOCK])
        order = np.lexsort(keys.T)
        changes = np.flatnonzero(np.any(np.diff(keys[order], axis=0) != 0, axis=1)) + 1
        for members in np.split(order, changes):
            shares[members] = self._shares(places[members], int(steps[members[0]]))
        return shares

    def _shares(self, places: NDArray[np.int64], step: int) -> NDArray[np.float64]:
        """Of boxes in px of a grid of that step, which lie near each other."""
        left, top = places[:, :2].min(axis=0).tolist()
        right, bottom = places[:, 2:].max(axis=0).tolist()
        mask = self.mask(left, top, right - left, bottom - top, step)
        sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
        np.cumsum(mask, axis=0, out=sums[1:, 1:])
        np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
        x1, y1, x2, y2 = (places - [left, top, left, top]).T
        inside = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
        return np.asarray(inside / ((x2 - x1) * (y2 - y1)))


def no_tumour(size: tuple[int, int]) -> SlideTruth:
    """Return the truth of a slide of that (width, height) px without tumour."""

    def nowhere(x: int, y: int, width: int, height: int, downsample: float) -> Mask:
        return np.zeros((height, width), bool)

    return SlideTruth(size, "no tumour, as stated", False, nowhere)


def _below(end: float) -> int:
    """How many px from 0 on have their middles below an end."""
    return math.ceil(end - 0.5)
