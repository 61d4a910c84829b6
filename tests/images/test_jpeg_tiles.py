"""JPEG tiles of a page: damage over which decoders pass is told, tile by tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from midog.images.jpeg_tiles import JpegTiles, is_checked, tile_of
from tests.images.pictures import tiff, tissue


def spoil(path: Path, *tiles: int, page: int = 0) -> Path:
    """Overwrite the middle of some tiles, by their number, with bytes of no sense."""
    with tifffile.TiffFile(path) as file:
        of_page = file.pages[page]
        places = [(of_page.dataoffsets[n], of_page.databytecounts[n]) for n in tiles]
    content = bytearray(path.read_bytes())
    noise = np.random.default_rng(0)
    for start, count in places:
        middle = slice(start + count // 3, start + count - count // 4)
        content[middle] = noise.integers(0, 255, middle.stop - middle.start, np.uint8).tobytes()
    path.write_bytes(content)
    return path


def test_the_damage_is_that_of_the_tiles_that_are_asked_for(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", tissue(300, 200), compression="jpeg", tile=(64, 64))
    spoil(path, 7)  # of five columns: row 1, column 2
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert is_checked(page)
        assert tile_of(page) == (64, 64)
        tiles = JpegTiles(path, page)
    assert tiles.damage()
    assert tiles.damage_of([(1, 2)]) == tiles.damage()
    assert tiles.damage_of([(0, 2), (1, 1), (1, 3), (3, 4)]) is None
    assert tiles.damage_of([]) is None


def test_strips_and_other_compressions(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", tissue(300, 200), compression="deflate", rowsperstrip=16)
    with tifffile.TiffFile(path) as file:
        assert tile_of(file.pages[0]) == (300, 16)
        assert not is_checked(file.pages[0])
