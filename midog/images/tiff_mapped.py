"""Uncompressed TIFFs mapped in place: pixels are cut straight from the file, nothing is decoded or
copied first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from midog.images.cache import Pixels

Piece = tuple[int, int, tuple[slice, slice], tuple[slice, slice]]
"""Row and column of a tile in the grid of tiles, the part of the tile that a region needs, and its
place there."""


class TiledPixels:
    """An image (height, width, 3) uint8 RGB whose tiles lie in a mapped file; read-only, for any
    number of threads.

    Answers as an array does to `shape`, `nbytes`, `[top:bottom, left:right]` (a new array; both
    slices in range and written out) and `np.asarray` (all of it, in memory). `crop_into` spares the
    new array.
    """

    def __init__(
        self,
        size: tuple[int, int],
        file: Pixels,
        offsets: NDArray[np.int64],
        tile: tuple[int, int, int],
    ):
        """size: (width, height). file: its bytes. offsets: of each tile, row by row. tile: (height,
        width, samples)."""
        self.shape = (size[1], size[0], 3)
        self._file = file
        self._tile = tile
        self._offsets = offsets.reshape(-1, -(-size[0] // tile[1])).tolist()

    @property
    def nbytes(self) -> int:
        return self.shape[0] * self.shape[1] * 3

    def __getitem__(self, region: tuple[slice, slice]) -> Pixels:
        rows, columns = region
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start, 3), np.uint8)
        self.read_into(columns.start, rows.start, out)
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("tiles in a file become an array only by copying them")
        height, width, _ = self.shape
        return np.asarray(self[0:height, 0:width], dtype)

    def read_into(self, x: int, y: int, out: Pixels) -> None:
        """As `crop_into`."""
        rows, width, samples = self._tile
        for row, column, source, target in pieces((x, y), out.shape, self._tile):
            start = self._offsets[row][column]
            height = min(
                rows, self.shape[0] - row * rows
            )  # of the last strip, no more is in the file
            tile = self._file[start : start + height * width * samples].reshape(
                height, width, samples
            )
            out[target] = tile[source][..., :3]  # one sample, grey, is spread over three

    def warm(self) -> None:
        """As `warm`."""
        starts = sorted(start for row in self._offsets for start in row)
        for start in starts:
            tile = self._file[start : start + self._tile[0] * self._tile[1] * self._tile[2]]
            _a_byte_of_each_page(tile).max(initial=0)


AnyPixels = Pixels | TiledPixels


def map_page(path: Path, page: Any) -> AnyPixels | None:
    """Pixels (height, width, 3) of an 8-bit page of tifffile's, mapped; None where they do not lie
    there as they are.

    Strips that follow each other make a plain read-only array, else it is TiledPixels. Grey is
    shown as RGB, a fourth channel is left out; not mapped: what is compressed, planar, inverted or
    transparent. While pixels are in use, the file must not be cut short.
    """
    if not _is_plain(page):
        return None
    width, height, samples = page.imagewidth, page.imagelength, page.samplesperpixel
    tile = (
        (page.tilelength, page.tilewidth)
        if page.is_tiled
        else (min(page.rowsperstrip, height), width)
    )
    across, down = -(-width // tile[1]), -(-height // tile[0])
    rows = np.minimum(tile[0], height - tile[0] * (np.arange(across * down) // across))
    needed = rows * tile[1] * samples
    offsets, counts = np.array(page.dataoffsets, np.int64), np.array(page.databytecounts, np.int64)
    if offsets.shape != needed.shape or (counts < needed).any():
        return None
    file = np.memmap(path, np.uint8, "r")
    if tile[1] == width and (offsets[1:] == offsets[:-1] + needed[:-1]).all():
        pixels = file[offsets[0] :][: needed.sum()].reshape(height, width, samples)
        return np.broadcast_to(pixels, (height, width, 3)) if samples == 1 else pixels[..., :3]
    return TiledPixels((width, height), np.asarray(file), offsets, (*tile, samples))


def crop_into(pixels: AnyPixels, x: int, y: int, out: Pixels) -> None:
    """Copy the region at x, y, of the size of `out` (height, width, 3) and wholly inside the image,
    into `out`."""
    if isinstance(pixels, TiledPixels):
        pixels.read_into(x, y, out)
    else:
        out[:] = pixels[y : y + out.shape[0], x : x + out.shape[1]]


def crop_on_white(
    size: tuple[int, int],
    read_into: Callable[[int, int, Pixels], None],
    x: int,
    y: int,
    out: Pixels,
) -> None:
    """Fill `out` (height, width, 3) with the region at any x, y of an image of that (width,
    height); white beyond it.

    read_into: as `crop_into` with the image given.
    """
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + out.shape[1], size[0]), min(y + out.shape[0], size[1])
    if (bottom - top, right - left) != out.shape[:2]:
        out[:] = 255
    if left < right and top < bottom:
        read_into(left, top, out[top - y : bottom - y, left - x : right - x])


def warm(pixels: AnyPixels) -> None:
    """Read what is mapped once, in the order of the file: a disk gives that many times as fast as
    random crops."""
    if isinstance(pixels, TiledPixels):
        pixels.warm()
    else:
        for row in pixels:
            _a_byte_of_each_page(row[:, 0]).max(initial=0)


def pieces(
    corner: tuple[int, int], shape: tuple[int, ...], tile: tuple[int, ...]
) -> Iterator[Piece]:
    """The parts of tiles (height, width, …) that make up a region at corner (x, y) of shape
    (height, width, …)."""
    (x, y), (height, width), (tile_height, tile_width) = corner, shape[:2], tile[:2]
    for row in range(y // tile_height, -(-(y + height) // tile_height)):
        rows = _overlap(y, height, row * tile_height, tile_height)
        for column in range(x // tile_width, -(-(x + width) // tile_width)):
            columns = _overlap(x, width, column * tile_width, tile_width)
            yield row, column, (rows[0], columns[0]), (rows[1], columns[1])


def _overlap(start: int, length: int, tile_start: int, tile_length: int) -> tuple[slice, slice]:
    """Along one axis, the part of a tile that a region has, in the tile and in the region."""
    first, last = max(start, tile_start), min(start + length, tile_start + tile_length)
    return slice(first - tile_start, last - tile_start), slice(first - start, last - start)


def _a_byte_of_each_page(values: Pixels) -> Pixels:
    return values[:: max(1, 4096 // values.strides[0])]


def _is_plain(page: Any) -> bool:
    alpha = (tifffile.EXTRASAMPLE.UNASSALPHA, tifffile.EXTRASAMPLE.ASSOCALPHA)
    return (
        page.compression == tifffile.COMPRESSION.NONE
        and (page.predictor, page.fillorder, page.planarconfig)
        == (1, 1, tifffile.PLANARCONFIG.CONTIG)
        and page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)
        and not any(extra in alpha for extra in page.extrasamples)
    )
