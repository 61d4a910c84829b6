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
from numpy.typing import NDArray
from torch import Tensor

from midog.errors import ImageError
from midog.images.image import SlideImage, as_image, open_image
from midog.images.pixels import Pixels
from midog.images.tiff_mapped import AnyPixels
from midog.inference.tile_plan import TilePlan
from midog.mpp import Mpp


class OpenTiles:
    """An open image whose tiles are being read; closing it (or leaving `with`) ends the threads.

    Args:
        image: the image; it is left open.
        mpp: um/px of the image.
        plan: its tiles.
        workers: threads that read; with 0 a tile is read when its turn comes.
        pinned: batches lie where a GPU can fetch them.
    """

    def __init__(
        self,
        image: SlideImage,
        mpp: Mpp,
        plan: TilePlan,
        *,
        workers: int,
        pinned: bool = False,
    ) -> None:
        self.image, self.mpp, self.plan = image, mpp, plan
        self.origins = plan.origins()
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

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def batches(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Iterate over the tiles, in order and once.

        Yields:
            Corners (n, 2) x y, px of the resampled image, and tiles (batch_size, tile, tile, 3)
            uint8 RGB. The last batch is filled with white tiles, so that all have one shape.

        Raises:
            ImageError: where a tile cannot be read.
        """
        side, size = self.plan.tile, self.plan.batch_size
        for begin in range(0, len(self.origins), size):
            corners = self.origins[begin : begin + size]
            batch = torch.empty((size, side, side, 3), dtype=torch.uint8, pin_memory=self._pinned)
            for slot in range(len(corners)):
                batch[slot] = torch.from_numpy(self._next(begin + slot))
            batch[len(corners) :] = 255
            yield corners, batch

    def _next(self, number: int) -> Pixels:
        if self._pool is None:
            return self._read(number)
        tile = self._waiting.popleft().result()
        self._read_ahead()
        return tile

    def _read_ahead(self) -> None:
        while (
            self._pool is not None
            and self._asked < len(self.origins)
            and len(self._waiting) < self._ahead
        ):
            self._waiting.append(self._pool.submit(self._read, self._asked))
            self._asked += 1

    def _read(self, number: int) -> Pixels:
        x, y = self.origins[number].tolist()
        return self.image.read_scaled(x, y, self.plan.tile, self.plan.tile, self.plan.scale)


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
        self.pixels, self.plan = pixels, plan
        self.image = Extent(pixels.shape[1], pixels.shape[0])
        self.origins = plan.origins()

    def batches(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Iterate over the tiles as `OpenTiles.batches` does; they are on the device."""
        side, size = self.plan.tile, self.plan.batch_size
        for begin in range(0, len(self.origins), size):
            corners = self.origins[begin : begin + size]
            batch = self.pixels.new_full((size, side, side, 3), 255)
            for tile, (x, y) in zip(batch, corners.tolist(), strict=False):
                part = self.pixels[y : y + side, x : x + side]
                tile[: part.shape[0], : part.shape[1]] = part
            yield corners, batch


Tiles = OpenTiles | ResidentTiles


def as_opened(image: Path | str | AnyPixels) -> SlideImage:
    """Open a file, or wrap pixels without copying them.

    Args:
        image: a path, or pixels (H, W, 3) uint8 RGB.

    Raises:
        ImageError: for a file that cannot be read or an array of another kind.
    """
    if isinstance(image, Path | str):
        return open_image(image)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ImageError(
            f"an array {pixels.shape} {pixels.dtype} is no image", "give pixels (H, W, 3) uint8 RGB"
        )
    return as_image(pixels, None)
