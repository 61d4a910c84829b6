"""Windows of a slide around px of its heat map, at one magnification or several, read ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.heatmap.grid import Block, MapGrid
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.models.classifiers.views import View
from midog.mpp import Scale


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a slide at one magnification, which holds N windows.

    pixels: (h, w, 3) uint8 RGB, white beyond the image's edges. corners: (N, 2) int64, upper left
    corners x y of the windows in it. side: of a window, px.
    """

    pixels: Pixels
    corners: NDArray[np.int64]
    side: int

    def cut(self, begin: int, end: int) -> Pixels:
        """Return some of the windows, (n, S, S, 3) uint8; all at once would take memory."""
        some = self.corners[begin:end].tolist()
        windows = np.empty((len(some), self.side, self.side, 3), np.uint8)
        for window, (x, y) in zip(windows, some, strict=True):
            window[:] = self.pixels[y : y + self.side, x : x + self.side]
        return windows


@dataclass(frozen=True, eq=False)
class BlockWindows:
    """Windows around N px of a map.

    rows, columns: (N,) int64, which px. regions: of each magnification; all windows of a px have
    the same middle.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    regions: tuple[Region, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def cut(self, begin: int, end: int) -> tuple[Pixels, ...]:
        """Return some of the windows at each magnification; see `Region.cut`."""
        return tuple(region.cut(begin, end) for region in self.regions)


def windows_ahead(
    image: SlideImage,
    grid: MapGrid,
    views: tuple[View, ...],
    wanted: Iterable[tuple[Block, NDArray[np.bool_]]],
    workers: int,
) -> Iterator[BlockWindows]:
    """Read the windows of some blocks, in order, while those before them are looked at.

    Args:
        image: Open.
        grid: Of the map.
        views: At which magnifications; the first one is the grid's.
        wanted: Blocks, and which px of each (h, w) bool; at least one.
        workers: Threads that read ahead; 0: a block is read when its turn comes.

    Raises:
        ImageError: Pixels cannot be read.
    """
    if not workers:
        yield from (read_windows(image, grid, views, *one) for one in wanted)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="midog-windows")
    waiting: deque[Future[BlockWindows]] = deque()
    try:
        for block, chosen in wanted:
            waiting.append(pool.submit(read_windows, image, grid, views, block, chosen))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_windows(
    image: SlideImage,
    grid: MapGrid,
    views: tuple[View, ...],
    block: Block,
    chosen: NDArray[np.bool_],
) -> BlockWindows:
    """Read the windows around some px of a block.

    Args:
        image: Open.
        grid: Of the map.
        views: As of `windows_ahead`.
        block: Of the grid.
        chosen: (h, w) bool, which of its px; at least one.

    Raises:
        ImageError: Pixels cannot be read.
    """
    rows, columns = (np.asarray(place, np.int64) for place in np.nonzero(chosen))
    rows, columns = rows + block.top, columns + block.left
    centres = grid.centres(rows, columns)
    return BlockWindows(
        rows, columns, tuple(_region(image, grid.scale, view, centres) for view in views)
    )


def _region(
    image: SlideImage, first_scale: Scale, view: View, centres: NDArray[np.float64]
) -> Region:
    """The windows of one magnification; centres: (N, 2) x y, px of the first view."""
    scale = first_scale[0] / view.downsample, first_scale[1] / view.downsample
    corners = np.floor(centres / view.downsample - view.side / 2 + 0.5).astype(np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0) + view.side
    (x, y), (width, height) = low.tolist(), (high - low).tolist()
    pixels = image.read_scaled(x, y, width, height, scale, image.level_for(scale))
    return Region(pixels, corners - low, view.side)
