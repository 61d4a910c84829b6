"""Numbers in a TIFF's directories: out of bounds they are an error, before a library sees them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from midog.errors import ImageError
from midog.images import tiff_bounds
from midog.images.image import open_image
from midog.images.tiff_bounds import check_tiff
from tests.images.pictures import BIG, LOSSLESS, PIXELS, TILE, error_of, tiff


def spoil(path: Path, tag: str, value: int, page: int = 0) -> Path:
    """Overwrite a number that lies in a directory itself, as a LONG."""
    with tifffile.TiffFile(path) as file:
        place = file.pages[page].tags[tag].offset
    content = bytearray(path.read_bytes())
    struct.pack_into("<HII", content, place + 2, 4, 1, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("options", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_a_good_file_passes(tmp_path: Path, options: dict[str, Any]) -> None:
    check_tiff(tiff(tmp_path / "a.tif", **options))


BAD = {
    "width 0": ({"tile": TILE}, "ImageWidth", 0, "0 x 130 px"),
    "height 0": ({}, "ImageLength", 0, "150 x 0 px"),
    "too wide": ({"tile": TILE}, "ImageWidth", 2_000_000, "2,000,000 x 130 px"),
    "tile width 0": ({"tile": TILE}, "TileWidth", 0, "tiles of 0 x 64 px"),
    "large tile": ({"tile": TILE}, "TileWidth", 65520 * 65520, "px, not 1 to"),
    "small tile": ({"tile": TILE}, "TileWidth", 16, "lists 9 of its 30 tiles"),
    "rows 0": ({}, "RowsPerStrip", 0, "strips of 150 x 0 px"),
    "few strips": ({}, "RowsPerStrip", 1, "strips"),
    "samples 0": ({}, "SamplesPerPixel", 0, "0 samples"),
}


@pytest.mark.parametrize(("options", "tag", "value", "said"), BAD.values(), ids=BAD.keys())
def test_a_number_out_of_bounds(
    tmp_path: Path, options: dict[str, Any], tag: str, value: int, said: str
) -> None:
    path = spoil(tiff(tmp_path / "a.tif", **options), tag, value % 2**32)
    assert said in error_of(path)


def test_a_directory_below_that_is_the_one_above(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(BIG, photometric="rgb", metadata=None, subifds=1)
        writer.write(BIG[::2, ::2], photometric="rgb", metadata=None, subfiletype=1)
    check_tiff(path)
    with tifffile.TiffFile(path) as file:
        first = file.pages[0].offset
    assert "points back at itself" in error_of(spoil(path, "SubIFDs", first))


@pytest.mark.parametrize("bigtiff", [False, True])
def test_directories_that_form_a_ring(tmp_path: Path, bigtiff: bool) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        for pixels in (BIG, PIXELS, PIXELS[:90]):
            writer.write(pixels, photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[2].offset
    content = bytearray(path.read_bytes())
    layout = ("<Q", 8, 20, "<Q") if bigtiff else ("<H", 2, 12, "<I")
    (number,) = struct.unpack_from(layout[0], content, last)
    struct.pack_into(layout[3], content, last + layout[1] + number * layout[2], first)
    path.write_bytes(content)
    assert "points back at itself" in error_of(path)


def test_more_directories_than_any_picture_has(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    one = (
        struct.pack("<H", 2)
        + struct.pack("<HHII", 256, 4, 1, 1)
        + struct.pack("<HHII", 257, 4, 1, 1)
    )
    one += struct.pack("<HHII", 273, 4, 1, 8)
    one = struct.pack("<H", 3) + one[2:]
    size = len(one) + 4
    content = b"II*\0" + struct.pack("<I", 8)
    for number in range(5000):
        content += one + struct.pack("<I", 8 + (number + 1) * size)
    path.write_bytes(content)
    assert "more than 4096 directories" in error_of(path)


def test_a_tag_with_more_values_than_the_file_has_bytes(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", description="x" * 100)
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags["ImageDescription"].offset
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, place + 4, 2**32 - 1)
    path.write_bytes(content)
    assert "claims 4294967295 values" in error_of(path)


def test_tiles_that_are_one_and_the_same(tmp_path: Path) -> None:
    """100,000 x 100,000 px in a file of 1.2 MB."""
    tile, side = np.zeros((256, 256, 3), np.uint8), 100_000
    path = tiff(tmp_path / "a.tif", tile, tile=(256, 256), compression="deflate")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        start, count = page.dataoffsets[0], page.databytecounts[0]
    content = bytearray(path.read_bytes())
    number = (-(-side // 256)) ** 2
    tables = {324: struct.pack("<I", start) * number, 325: struct.pack("<I", count) * number}
    with tifffile.TiffFile(path) as file:
        offsets = {tag: file.pages.first.tags[tag].offset for tag in (256, 257, 324, 325)}
    for tag, offset in offsets.items():
        if tag in tables:
            struct.pack_into("<HII", content, offset + 2, 4, number, len(content))
            content += tables[tag]
        else:
            struct.pack_into("<HII", content, offset + 2, 4, 1, side)
    path.write_bytes(content)
    assert "claims 100,000 x 100,000 px" in error_of(path)


def test_a_strip_that_is_too_large_when_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tiff(tmp_path / "a.tif", compression="zlib")
    plain = tiff(tmp_path / "b.tif")
    check_tiff(packed)
    monkeypatch.setattr(tiff_bounds, "_LARGEST_STRIP", 150 * 130 * 3 - 1)
    check_tiff(plain)  # mapped, not decoded
    with pytest.raises(ImageError, match="page 1 has strips of 150 x 130 px, not 1 to 58,499 byte"):
        check_tiff(packed)


@pytest.mark.parametrize("folder", ["slides", "composite/images"])
def test_real_files_pass(shared: Path, folder: str) -> None:
    for path in sorted((shared / "data" / folder).glob("*.*"))[:20]:
        with path.open("rb") as file:
            if file.read(2) in (b"II", b"MM"):
                check_tiff(path)


def test_a_pipe_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    assert "pipe or a device" in error_of(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="pipe or a device"):
        open_image("/dev/zero")
    with pytest.raises(ImageError, match="a\\\\x00b"):
        open_image("a\0b.tif")
