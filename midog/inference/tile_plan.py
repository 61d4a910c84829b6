"""How an image is divided into tiles: a function of its size and of what the device bears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.config.schema import InferenceSettings
from midog.mpp import Scale
from midog.tiling import STEP, Mask, fit_batch, fit_tile, grid, neighbours

LARGEST_TILE = 1536
"""Largest side of a tile, px as the network sees it, that `auto` takes.

A head's group norms (`model.head_norm: group`) see a whole tile, so scores depend a little on its
size: it is the same on every device whose memory bears it. With other norms it moves only scores
near a seam.
"""


@dataclass(frozen=True, eq=False)
class TilePlaces:
    """Where tiles lie.

    Attributes:
        corners: (T, 2) int64, upper left corners x y, px of the resampled image, row by row.
        inner: (T, 4) bool, the edges with a neighbour that is looked at as well: left, top, right,
            bottom.
    """

    corners: NDArray[np.int64]
    inner: Mask

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, some: slice) -> TilePlaces:
        return TilePlaces(self.corners[some], self.inner[some])


@dataclass(frozen=True)
class TilePlan:
    """How an image is divided into tiles.

    Attributes:
        scale: the image is resampled by these factors, along x and y.
        size: its (width, height) after that, px.
        tile: side of the tiles, px of the resampled image.
        overlap: of neighbouring tiles, px of the resampled image.
        batch_size: tiles at a time.
    """

    scale: Scale
    size: tuple[int, int]
    tile: int
    overlap: int
    batch_size: int

    def places(self, looked_at: Mask | None = None) -> TilePlaces:
        """The tiles, row by row.

        Args:
            looked_at: (T,) which of them are looked at; None: all.
        """
        origins = grid(*self.size, self.tile, self.overlap)
        chosen = np.ones(len(origins), dtype=bool) if looked_at is None else looked_at
        return TilePlaces(origins[chosen], neighbours(origins, chosen)[chosen])


@dataclass(frozen=True)
class TileLimits:
    """What decides tiles beside the image.

    Attributes:
        magnification: how many times larger than it is the network sees a tile.
        pixels: most px that the network sees at a time.
        one_by_one: `auto` takes one tile at a time, because more are no faster.
    """

    magnification: float
    pixels: int
    one_by_one: bool

    @property
    def largest_tile(self) -> int:
        """Largest side of a tile that `auto` takes, px of the resampled image."""
        side = min(LARGEST_TILE, self.pixels**0.5)
        return int(side / self.magnification) // STEP * STEP


def plan_tiles(
    size: tuple[int, int], scale: Scale, settings: InferenceSettings, limits: TileLimits
) -> TilePlan:
    """Divide an image into tiles.

    Args:
        size: (width, height) of the resampled image, px.
        scale: the factors by which it is resampled.
        settings: side, overlap and number of tiles; `auto` is settled here.
        limits: of the device and the network.
    """
    tile, batch_size = settings.tile, settings.batch_size
    if tile == "auto":
        tile = fit_tile(*size, settings.overlap, limits.largest_tile)
    if batch_size == "auto":
        fitting = int(limits.pixels / (tile * limits.magnification) ** 2)
        most = 1 if limits.one_by_one else max(fitting, 1)
        batch_size = fit_batch(len(grid(*size, tile, settings.overlap)), most)
    return TilePlan(scale, size, tile, settings.overlap, batch_size)
