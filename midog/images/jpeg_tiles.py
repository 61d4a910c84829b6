"""The JPEG tiles of a TIFF page, looked through for damage over which decoders pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from midog.images.tiff_segments import has_segments
from midog.images.trial import damage_of_jpegs


class JpegTiles:
    """Where the JPEG tiles or strips of a page lie in the file.

    Args:
        path: The file.
        page: One of its pages, as tifffile gives it, for which `is_checked` holds.
    """

    def __init__(self, path: Path, page: Any) -> None:
        self._path, self._tables = path, page.jpegtables or b""
        self.tile = tile_of(page)
        self._across = -(-page.imagewidth // self.tile[0])
        self._places = np.array([page.dataoffsets, page.databytecounts], np.int64).T

    def damage(self) -> str | None:
        """Name the first damage of all of them."""
        return self._damage_at(self._places)

    def damage_of(self, tiles: Sequence[tuple[int, int]]) -> str | None:
        """Name the first damage of some, given by row and column; see `Level.damage_of`."""
        numbers = [row * self._across + column for row, column in tiles]
        return self._damage_at(self._places[numbers])

    def _damage_at(self, places: Any) -> str | None:
        stored = places[(places > 0).all(axis=1)]  # one that is left out is sound
        return damage_of_jpegs(self._path, stored.tolist(), self._tables) if len(stored) else None


def is_checked(page: Any) -> bool:
    """Whether the damage of a page's tiles can be told: of JPEG, each by itself."""
    return page.compression == tifffile.COMPRESSION.JPEG and has_segments(page)


def tile_of(page: Any) -> tuple[int, int]:
    """(width, height) of the tiles or strips of a page of tifffile's, px."""
    if page.is_tiled:
        return page.tilewidth, page.tilelength
    return page.imagewidth, min(page.rowsperstrip, page.imagelength)
