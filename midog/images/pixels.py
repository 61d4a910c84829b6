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


def _overlap(start: int, length: int, tile_start: int, tile_length: int) -> tuple[slice, slice]:
    """Along one axis, the part of a tile that lies in a region: in the tile and in the region."""
    first, last = max(start, tile_start), min(start + length, tile_start + tile_length)
    return slice(first - tile_start, last - tile_start), slice(first - start, last - start)
