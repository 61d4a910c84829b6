"""Damaged tiles are white with their place in a warning; all else is read as it was."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile

from midog.errors import ImageError
from midog.images.damaged_tiles import DamagedTiles
from midog.images.image import open_image
from midog.images.opened_file import Level, OpenedFile
from midog.images.pixels import Pixels
from midog.mpp import StatedMpp
from tests.images.pictures import tiff, tissue
from tests.images.test_jpeg_tiles import spoil

PIXELS = tissue(300, 200)


def pyramid(path: Path, compression: str) -> Path:
    """Level 0 in tiles of 64 px, and level 1 of half the size."""
    with tifffile.TiffWriter(path) as file:
        options = {"tile": (64, 64), "compression": compression, "photometric": "rgb"}
        file.write(PIXELS, **options)
        file.write(np.ascontiguousarray(PIXELS[::2, ::2]), subfiletype=1, **options)
    return path


@pytest.mark.parametrize("compression", ["jpeg", "deflate", "lzw"])
def test_a_damaged_tile_is_white_and_a_warning_says_where(
    tmp_path: Path, compression: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = pyramid(tmp_path / "whole.tif", compression)
    with open_image(whole) as image:
        expected = image.read(0, 0, 300, 200)
    path = spoil(pyramid(tmp_path / "a.tif", compression), 7)
    expected[64:128, 128:192] = 255
    with open_image(path, past_damage=True) as image:
        for _ in range(2):
            np.testing.assert_array_equal(image.read(0, 0, 300, 200), expected)
        np.testing.assert_array_equal(image.read(100, 50, 90, 80), expected[50:130, 100:190])
        np.testing.assert_array_equal(image.read(0, 0, 60, 60), expected[:60, :60])
        image.report_damage()
    (warning,) = caplog.messages
    assert warning.startswith(f"{path}: the tile at x 128 to 192, y 64 to 128 (level-0 px) is")
    assert "white" in warning


def test_the_place_of_a_coarser_level_is_in_px_of_level_0(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = spoil(pyramid(tmp_path / "a.tif", "deflate"), 2, page=1)
    with open_image(path, past_damage=True) as image:
        part = image.read(0, 0, 150, 100, level=1)
    assert (part[:64, 128:] == 255).all()
    (warning,) = caplog.messages
    assert "x 256 to 300, y 0 to 128 (level-0 px) of level 1" in warning


@pytest.mark.parametrize(
    ("compression", "message"), [("deflate", "cannot be read"), ("jpeg", "tile at x 128 to 192")]
)
def test_what_is_not_read_past_damage_is_an_error(
    tmp_path: Path, compression: str, message: str
) -> None:
    path = spoil(pyramid(tmp_path / "a.tif", compression), 7)
    with open_image(path) as image:
        image.read(0, 0, 128, 64)
        for _ in range(2):
            with pytest.raises(ImageError, match=message):
                image.read(0, 0, 300, 200)


def test_what_was_looked_through_is_not_looked_at_again(tmp_path: Path, monkeypatch) -> None:
    path = pyramid(tmp_path / "a.tif", "jpeg")
    asked = list[int]()
    monkeypatch.setattr(
        "midog.images.jpeg_tiles.damage_of_jpegs",
        lambda path, places, tables: asked.append(len(places)),
    )
    with open_image(path) as image:
        image.read(0, 0, 100, 64)
        image.read(0, 0, 130, 64)
        assert asked == [2, 1]
        image.check()
        image.read(0, 0, 300, 200)
        assert asked == [2, 1, 20]


def test_an_image_of_which_nothing_can_be_read_is_an_error(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", PIXELS, compression="deflate", tile=(64, 64))
    spoil(path, *range(20))
    with open_image(path, past_damage=True) as image:
        assert (image.read(0, 0, 300, 200) == 255).all()
        with pytest.raises(ImageError, match="is damaged"):
            image.report_damage()


def test_many_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tiff(tmp_path / "a.tif", PIXELS, compression="deflate", tile=(64, 64))
    spoil(path, *range(12))
    with open_image(path, past_damage=True) as image:
        image.read(0, 0, 300, 200)
        image.report_damage()
    assert len(caplog.messages) == 6
    assert caplog.messages[-1].endswith("12 damaged tiles in all are read as white")


def test_threads_read_around_damage_of_a_slide_that_refuses_all_after_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenSlide's own refusal: a tile whose place in the file states no JPEG at all."""
    path = tiff(tmp_path / "a.tif", PIXELS, compression="jpeg", tile=(64, 64))
    with open_image(path) as image:
        expected = image.read(0, 0, 300, 200)
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[7]
    content = bytearray(path.read_bytes())
    content[start : start + 2] = b"\0\0"
    path.write_bytes(content)
    expected[64:128, 128:192] = 255
    with open_image(path, past_damage=True) as image, ThreadPoolExecutor(4) as pool:
        corners = [(x, y) for y in range(0, 200, 50) for x in range(0, 300, 50)] * 4
        parts = pool.map(lambda corner: image.read(*corner, 50, 50), corners)
        for (x, y), part in zip(corners, parts, strict=True):
            np.testing.assert_array_equal(part, expected[y : y + 50, x : x + 50])
    assert len(caplog.messages) == 1


def test_what_is_decoded_as_a_whole_stays_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def read_into(x: int, y: int, out: Pixels) -> None:
        raise ImageError("no pixels")

    file = OpenedFile((Level((10, 10), 1.0, read_into),), StatedMpp(), lambda: None)
    past = DamagedTiles(Path("a.png"), is_white=True).watched(file)
    with pytest.raises(ImageError, match="no pixels"):
        past.levels[0].read_into(0, 0, np.empty((5, 5, 3), np.uint8))
    assert caplog.records == []


@pytest.fixture(autouse=True)
def warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "midog.images.damaged_tiles")
