"""An open image, whose tiles threads read ahead, row by row, from the moment it is opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from midog.errors import ImageError
from midog.images.image import SlideImage, as_image, open_image
from midog.images.pixels import Pixels
from midog.images.tiff_mapped import AnyPixels
from midog.inference.stage_times import StageTimes
from midog.inference.tile_plan import TilePlaces, TilePlan
from midog.mpp import Mpp
from midog.tiling import Mask

_DARK = 50
"""Red, green and blue below that are black: the darkest nuclei of H&E are not, 0 to 255."""


class OpenTiles:
    """An open image whose tiles are being read; closing it (or leaving `with`) ends the threads.

    Args:
        image: the image; it is left open.
        mpp: um/px of the image.
        plan: its tiles.
        workers: threads that read; with 0 a tile is read when its turn comes.
        pinned: batches lie where a GPU can fetch them.
        looked_at: (T,) bool, which of the plan's tiles are read; None: all.
        times: where the time of reading is added.
    """

    def __init__(
        self,
        image: SlideImage,
        mpp: Mpp,
        plan: TilePlan,
        *,
        workers: int,
        pinned: bool = False,
        looked_at: Mask | None = None,
        times: StageTimes | None = None,
    ) -> None:
        self.image, self.mpp, self.plan = image, mpp, plan
        self.times = times or StageTimes()
        self.places, self._level = plan.places(looked_at), image.level_for(plan.scale)
        self.all_tiles = len(self.places if looked_at is None else looked_at)
        self._dark_shares: list[float] = []
        self._pinned, self._ahead = pinned, workers + plan.batch_size
        self._pool = (
            ThreadPoolExecutor(workers, thread_name_prefix="midog-tiles") if workers else None
        )
        self._waiting: deque[Future[Pixels]] = deque()
        self._asked = 0
        self._read_ahead()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def is_dark(self) -> bool:
        """Whether most of what was read so far is black, as in fluorescence."""
        shares = self._dark_shares
        return bool(shares) and sum(shares) > len(shares) / 2

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def batches(self) -> Iterator[tuple[TilePlaces, Tensor]]:
        """Iterate over the tiles, in order and once.

        Yields:
            The places of n tiles, and these (batch_size, tile, tile, 3) uint8 RGB. The last batch
            is filled with white tiles, so that all have one shape.

        Raises:
            ImageError: where a tile cannot be read.
        """
        side, size = self.plan.tile, self.plan.batch_size
        for begin in range(0, len(self.places), size):
            places = self.places[begin : begin + size]
            batch = torch.empty((size, side, side, 3), dtype=torch.uint8, pin_memory=self._pinned)
            for slot in range(len(places)):
                batch[slot] = torch.from_numpy(self._next(begin + slot))
            batch[len(places) :] = 255
            yield places, batch

    def _next(self, number: int) -> Pixels:
        with self.times.of("waiting"):
            if self._pool is None:
                return self._read(number)
            tile = self._waiting.popleft().result()
        self._read_ahead()
        return tile

    def _read_ahead(self) -> None:
        while (
            self._pool is not None
            and self._asked < len(self.places)
            and len(self._waiting) < self._ahead
        ):
            self._waiting.append(self._pool.submit(self._read, self._asked))
            self._asked += 1

    def _read(self, number: int) -> Pixels:
        x, y = self.places.corners[number].tolist()
        side = self.plan.tile
        with self.times.of("reading"):
            tile = self.image.read_scaled(x, y, side, side, self.plan.scale, self._level)
        self._dark_shares.append(float((tile[8::16, 8::16] < _DARK).all(axis=2).mean()))
        return tile


@dataclass(frozen=True)
class Extent:
    """Width and height of an image, px, and `SlideImage.origin`."""

    width: int
    height: int
    origin: tuple[int, int] = (0, 0)


class ResidentTiles:
    """The tiles of pixels that lie on a device, cut there: nothing comes back to the host.

    Args:
        pixels: (H, W, 3) uint8 on the device of the network.
        plan: their tiles; nothing is resampled.
    """

    def __init__(self, pixels: Tensor, plan: TilePlan) -> None:
        assert plan.scale == (1.0, 1.0), plan.scale
        self.pixels, self.plan, self.times = pixels, plan, StageTimes()
        self.all_tiles = len(plan.places())
        self.image = Extent(pixels.shape[1], pixels.shape[0])
        self.places = plan.places()

    def batches(self) -> Iterator[tuple[TilePlaces, Tensor]]:
        """Iterate over the tiles as `OpenTiles.batches` does; they are on the device."""
        side, size = self.plan.tile, self.plan.batch_size
        for begin in range(0, len(self.places), size):
            places = self.places[begin : begin + size]
            batch = self.pixels.new_full((size, side, side, 3), 255)
            for tile, (x, y) in zip(batch, places.corners.tolist(), strict=False):
                part = self.pixels[y : y + side, x : x + side]
                tile[: part.shape[0], : part.shape[1]] = part
            yield places, batch


Tiles = OpenTiles | ResidentTiles


def as_opened(image: Path | str | AnyPixels) -> SlideImage:
    """Open a file, to be read past damaged tiles, or wrap pixels without copying them.

    Args:
        image: a path, or pixels (H, W, 3) uint8 RGB.

    Raises:
        ImageError: for a file that cannot be read or an array of another kind.
    """
    if isinstance(image, Path | str):
        return open_image(image, past_damage=True)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ImageError(
            f"an array {pixels.shape} {pixels.dtype} is no image", "give pixels (H, W, 3) uint8 RGB"
        )
    return as_image(pixels, None)
