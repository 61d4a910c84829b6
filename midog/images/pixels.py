"""Arrays of pixels: a region on a white ground, and the tiles that make up a region."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 RGB, unless its owner states another shape."""

Piece = tuple[int, int, tuple[slice, slice], tuple[slice, slice]]
"""Row and column of a tile in its grid, the part of the tile that a region needs, and the place of
that part in the region."""


def crop_on_white(
    size: tuple[int, int],
    read_into: Callable[[int, int, Pixels], None],
    x: int,
    y: int,
    out: Pixels,
) -> None:
    """Fill `out` with a region of an image, white beyond the image's edges.

    Args:
        size: (width, height) of the image, px.
        read_into: called as (x, y, part) with a region that lies wholly inside the image; copies
            its pixels into `part`.
        x, y: left upper corner of the region, px; any integers.
        out: (height, width, 3) uint8 RGB, overwritten.
    """
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + out.shape[1], size[0]), min(y + out.shape[0], size[1])
    if (bottom - top, right - left) != out.shape[:2]:
        out[:] = 255
    if left < right and top < bottom:
        read_into(left, top, out[top - y : bottom - y, left - x : right - x])


def crop_mirrored(
    size: tuple[int, int],
    read_into: Callable[[int, int, Pixels], None],
    x: int,
    y: int,
    out: Pixels,
) -> None:
    """Fill `out` with a region of an image, mirrored at the image's edges.

    The px of the edge itself is not repeated. The arguments are those of `crop_on_white`; a region
    may lie anywhere, also beyond an image that is smaller than it.
    """
    height, width = out.shape[:2]
    if x >= 0 and y >= 0 and x + width <= size[0] and y + height <= size[1]:
        read_into(x, y, out)
        return
    columns, rows = _mirrored(x, width, size[0]), _mirrored(y, height, size[1])
    left, top = int(columns.min()), int(rows.min())
    shape = int(rows.max()) - top + 1, int(columns.max()) - left + 1, *out.shape[2:]
    part = np.empty(shape, np.uint8)
    read_into(left, top, part)
    out[:] = part[rows - top][:, columns - left]


def pieces(
    corner: tuple[int, int], shape: tuple[int, ...], tile: tuple[int, ...]
) -> Iterator[Piece]:
    """The parts of tiles that make up a region, row by row.

    Args:
        corner: (x, y) of the region, px.
        shape: (height, width, …) of the region, px.
        tile: (height, width, …) of a tile, px.
    """
    (x, y), (height, width), (tile_height, tile_width) = corner, shape[:2], tile[:2]
    for row in range(y // tile_height, -(-(y + height) // tile_height)):
        rows = _overlap(y, height, row * tile_height, tile_height)
        for column in range(x // tile_width, -(-(x + width) // tile_width)):
            columns = _overlap(x, width, column * tile_width, tile_width)
            yield row, column, (rows[0], columns[0]), (rows[1], columns[1])


def _mirrored(start: int, length: int, extent: int) -> NDArray[np.int64]:
    """The px of an axis of `extent` px at `length` places from `start` on, mirrored at its ends."""
    period = max(2 * (extent - 1), 1)
    places = np.arange(start, start + length) % period
    return np.asarray(np.minimum(places, period - places)) if extent > 1 else places * 0


def _overlap(start: int, length: int, tile_start: int, tile_length: int) -> tuple[slice, slice]:
    """Along one axis, the part of a tile that lies in a region: in the tile and in the region."""
    first, last = max(start, tile_start), min(start + length, tile_start + tile_length)
    return slice(first - tile_start, last - tile_start), slice(first - start, last - start)
