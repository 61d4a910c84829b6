"""HeatMap: where in a slide a classifier sees its second class, and what that adds up to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FloatArray
from midog.mpp import Mpp, Scale
from midog.tissue.kinds import GLASS, TISSUE
from midog.tissue.mask import TissueMask


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The probability of a class all over a slide.

    Attributes:
        values: (h, w) float32 in [0, 1]; NaN where nothing was looked at.
        scale: Px of the map for a px of level 0, along x and y: px (column, row) stands for level-0
            px from column / scale to (column + 1) / scale.
        size: (width, height) of the slide, level-0 px.
        mpp: um/px of level 0.
        name: Of the class.
        threshold: In [0, 1], the least value that counts as the class.
        threshold_from: How it was chosen, in words.
    """

    values: FloatArray
    scale: Scale
    size: tuple[int, int]
    mpp: Mpp
    name: str
    threshold: float
    threshold_from: str

    @property
    def map_mpp(self) -> Mpp:
        """um per px of the map."""
        return Mpp(self.mpp.x / self.scale[0], self.mpp.y / self.scale[1])

    @cached_property
    def looked_at(self) -> NDArray[np.bool_]:
        """(h, w) bool, px that have a value."""
        return ~np.isnan(self.values)

    @property
    def slide_score(self) -> float:
        """Highest value of the map, as Liu et al. (2017, arXiv:1703.02442) score slides."""
        return float(np.nanmax(self.values)) if self.looked_at.any() else math.nan

    @property
    def highest(self) -> tuple[float, float]:
        """Where that is: x y of the middle of its px, level-0 px; of several the first."""
        flat = int(np.nanargmax(self.values))
        row, column = divmod(flat, self.values.shape[1])
        return (column + 0.5) / self.scale[0], (row + 0.5) / self.scale[1]

    def over(self, threshold: float | None = None) -> NDArray[np.bool_]:
        """(h, w) bool, px of at least a threshold; None: the map's own."""
        least = np.float32(self.threshold if threshold is None else threshold)
        return np.asarray(self.looked_at & (self.values >= least))

    def area_mm2(self, chosen: NDArray[np.bool_]) -> float:
        """Area of some px of the map, those at the right and lower edge as far as the slide."""
        height, width = self.values.shape
        across = np.minimum(np.arange(1, width + 1) / self.scale[0], self.size[0])
        down = np.minimum(np.arange(1, height + 1) / self.scale[1], self.size[1])
        columns, rows = np.diff(across, prepend=0), np.diff(down, prepend=0)
        px = float(rows @ (chosen @ columns))
        return px * self.mpp.x * self.mpp.y / 1e6

    def as_mask(self, source: str, threshold: float | None = None) -> TissueMask:
        """The px of at least a threshold as a mask of the slide, where detectors may look."""
        kinds = np.where(self.over(threshold), np.uint8(TISSUE), np.uint8(GLASS))
        return TissueMask(kinds, self.scale, self.size, self.mpp, source, name=self.name)
