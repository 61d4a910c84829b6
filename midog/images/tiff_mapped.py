"""Uncompressed TIFFs mapped in place: pixels are cut straight from the file, never decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from midog.images.pixels import Pixels, pieces


class TiledPixels:
    """An image (height, width, 3) uint8 RGB whose tiles lie in a mapped file, read-only.

    It answers as an array does to `shape`, `nbytes`, `[top:bottom, left:right]` (a new array; both
    slices in range and written out) and `np.asarray` (all of it, in memory); `crop_into` spares the
    new array. Any number of threads may read from it.
    """

    def __init__(
        self,
        size: tuple[int, int],
        file: Pixels,
        offsets: NDArray[np.int64],
        tile: tuple[int, int, int],
    ):
        """Describe where the tiles lie.

        Args:
            size: (width, height) of the image, px.
            file: (bytes,) uint8, the whole file.
            offsets: (tiles,) int64, the first byte of each tile, row by row.
            tile: (height, width, samples) of a tile.
        """
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
        """As the function `crop_into`."""
        rows, width, samples = self._tile
        for row, column, part, place in pieces((x, y), out.shape, self._tile):
            start = self._offsets[row][column]
            height = min(rows, self.shape[0] - row * rows)  # the file holds no more of a last strip
            stop = start + height * width * samples
            tile = self._file[start:stop].reshape(height, width, samples)
            out[place] = tile[part][..., :3]  # one sample, grey, is spread over three

    def warm(self) -> None:
        """As the function `warm`."""
        starts = sorted(start for row in self._offsets for start in row)
        for start in starts:
            tile = self._file[start : start + self._tile[0] * self._tile[1] * self._tile[2]]
            _a_byte_of_each_page(tile).max(initial=0)


AnyPixels = Pixels | TiledPixels
"""Pixels (height, width, 3) uint8 RGB: an array, or tiles of a mapped file."""


def map_page(path: Path, page: Any) -> AnyPixels | None:
    """Pixels of an 8-bit page of a TIFF, mapped where they lie.

    Grey is shown as RGB, a fourth channel is left out. While the pixels are in use, the file must
    not be cut short.

    Args:
        path: the file.
        page: one of its pages, as tifffile gives it.

    Returns:
        A read-only array where strips follow each other, else TiledPixels; None for a page that is
        compressed, planar, inverted or transparent, or lacks a tile.
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
    if offsets.shape != needed.shape or (counts < needed).any() or not offsets.all():
        return None
    file = np.memmap(path, np.uint8, "r")
    if tile[1] == width and (offsets[1:] == offsets[:-1] + needed[:-1]).all():
        pixels = file[offsets[0] :][: needed.sum()].reshape(height, width, samples)
        return np.broadcast_to(pixels, (height, width, 3)) if samples == 1 else pixels[..., :3]
    return TiledPixels((width, height), np.asarray(file), offsets, (*tile, samples))


def crop_into(pixels: AnyPixels, x: int, y: int, out: Pixels) -> None:
    """Copy a region that lies wholly inside the image into `out`.

    Args:
        pixels: the image.
        x, y: left upper corner of the region, px.
        out: (height, width, 3) uint8, overwritten; its shape is the region's size.
    """
    if isinstance(pixels, TiledPixels):
        pixels.read_into(x, y, out)
    else:
        out[:] = pixels[y : y + out.shape[0], x : x + out.shape[1]]


def warm(pixels: AnyPixels) -> None:
    """Read mapped pixels once in the order of the file, into the system's memory.

    A disk is many times as fast at that as at random crops.
    """
    if isinstance(pixels, TiledPixels):
        pixels.warm()
    else:
        for row in pixels:
            _a_byte_of_each_page(row[:, 0]).max(initial=0)


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
