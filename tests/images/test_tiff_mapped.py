"""Uncompressed TIFFs in every layout: cut from the file as tifffile reads them, and mapped rather
than copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.images import tiff_mapped as mapped_module
from midog.images.decode import decode
from midog.images.image import open_image
from midog.images.pixels import Pixels
from midog.images.tiff_mapped import AnyPixels, TiledPixels, crop_into, map_page, warm
from tests.images.pictures import PIXELS, TILE, tiff, tissue

STRIPED = {
    "one strip": {"rowsperstrip": 130},
    "strips of 16 rows, the last shorter": {"rowsperstrip": 16},
    "big endian": {"rowsperstrip": 16, "byteorder": ">"},
    "big tiff": {"rowsperstrip": 7, "bigtiff": True},
}
TILED = {
    "tiles": {"tile": TILE},
    "oblong tiles": {"tile": (32, 48)},
    "a tile larger than the image": {"tile": (256, 256)},
    "big endian tiles": {"tile": TILE, "byteorder": ">"},
    "big tiff tiles": {"tile": TILE, "bigtiff": True},
    "tiles far apart": {"tile": TILE, "align": 4096},
}
LAYOUTS = STRIPED | TILED
KINDS = {
    "rgb": (PIXELS, {}),
    "grey": (np.ascontiguousarray(PIXELS[..., 1]), {"photometric": "minisblack"}),
    "a fourth channel that says nothing": (
        np.dstack([PIXELS, PIXELS[..., 0]]),
        {"extrasamples": ["unspecified"]},
    ),
}


def mapped(path: Path) -> AnyPixels | None:
    with tifffile.TiffFile(path) as file:
        return map_page(path, file.pages[0])


def as_rgb(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels[..., :3]


@pytest.fixture(
    scope="module", params=[(layout, kind) for layout in LAYOUTS for kind in KINDS], ids=str
)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout, kind = request.param
    pixels, options = KINDS[kind]
    return tiff(tmp_path_factory.mktemp("mapped") / "a.tiff", pixels, **LAYOUTS[layout], **options)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_region_is_what_tifffile_reads(file: Path, data: st.DataObject) -> None:
    pixels, expected = mapped(file), as_rgb(tifffile.imread(file))
    left, right = sorted(data.draw(st.integers(0, 150)) for _ in "lr")
    top, bottom = sorted(data.draw(st.integers(0, 130)) for _ in "tb")
    assert pixels is not None
    assert pixels.shape == (130, 150, 3)
    assert pixels.nbytes == PIXELS.nbytes
    np.testing.assert_array_equal(pixels[top:bottom, left:right], expected[top:bottom, left:right])
    canvas = np.full((140, 160, 3), 7, np.uint8)
    crop_into(pixels, left, top, canvas[5 : 5 + bottom - top, 5 : 5 + right - left])
    np.testing.assert_array_equal(
        canvas[5 : 5 + bottom - top, 5 : 5 + right - left], expected[top:bottom, left:right]
    )
    canvas[5 : 5 + bottom - top, 5 : 5 + right - left] = 7
    assert (canvas == 7).all()


def test_it_is_an_array_where_one_is_wanted(file: Path) -> None:
    pixels, expected = mapped(file), as_rgb(tifffile.imread(file))
    np.testing.assert_array_equal(pixels, expected)
    copied = np.array(pixels)
    copied[:] = 0  # it is nobody else's
    np.testing.assert_array_equal(np.asarray(pixels), expected)
    assert np.asarray(pixels, np.float32).dtype == np.float32


def test_the_image_reads_and_decodes_through_the_map(file: Path, tmp_path: Path) -> None:
    expected = as_rgb(tifffile.imread(file))
    with open_image(file) as image:
        assert image.mapped is not None
        actual = image.read(-3, -5, 170, 150)
    np.testing.assert_array_equal(actual[5:135, 3:153], expected)
    actual[5:135, 3:153] = 255
    assert (actual == 255).all()
    np.testing.assert_array_equal(decode(file, cache_dir=tmp_path), expected)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_it_lies_in_the_file(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tiff(tmp_path / "a.tiff", **options)
    pixels = mapped(path)
    assert isinstance(pixels, TiledPixels) == ("tile" in options)
    with tifffile.TiffFile(path) as file:
        start, end = min(file.pages[0].dataoffsets), path.stat().st_size
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(end - start))  # what the file holds now is what a region shows
    assert not np.asarray(pixels).any()


def test_it_cannot_be_written(tmp_path: Path) -> None:
    for options in ({}, {"photometric": "minisblack"}):
        pixels = mapped(tiff(tmp_path / "a.tiff", PIXELS[..., 0] if options else PIXELS, **options))
        with pytest.raises(ValueError, match="read-only"):
            pixels[0:1, 0:1] = 0  # type: ignore[index]


def test_strips_that_do_not_follow_each_other(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", rowsperstrip=16)
    with tifffile.TiffFile(path) as file:
        offsets = list(file.pages[0].dataoffsets)
        where = file.pages[0].tags["StripOffsets"]
        content = bytearray(path.read_bytes())
    for i, start in enumerate(
        reversed(offsets[:-1])
    ):  # the same strips, written from the last to the first
        content[start : start + 16 * 450] = PIXELS[16 * i : 16 * i + 16].tobytes()
    moved = np.array([*offsets[-2::-1], offsets[-1]], {3: "u2", 4: "u4"}[where.dtype])
    content[where.valueoffset : where.valueoffset + moved.nbytes] = moved.tobytes()
    path.write_bytes(content)
    assert isinstance(mapped(path), TiledPixels)
    np.testing.assert_array_equal(tifffile.imread(path), PIXELS)
    np.testing.assert_array_equal(mapped(path), PIXELS)


OTHERS = {
    "deflate": {"compression": "deflate"},
    "deflate tiles": {"compression": "deflate", "tile": TILE},
    "planes apart": {
        "pixels": np.ascontiguousarray(np.moveaxis(PIXELS, 2, 0)),
        "planarconfig": "separate",
    },
    "inverted": {"pixels": PIXELS[..., 0], "photometric": "miniswhite"},
    "alpha": {"pixels": np.dstack([PIXELS, PIXELS[..., 0]]), "extrasamples": ["unassalpha"]},
}


@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS.keys())
def test_what_does_not_lie_there_as_it_is_is_not_mapped(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tiff(tmp_path / "a.tiff", **options)
    assert mapped(path) is None
    with open_image(path) as image:
        assert image.mapped is None


def test_a_tile_that_the_file_says_is_short_is_not_mapped(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", tile=TILE)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        page.databytecounts = (*page.databytecounts[:-1], 100)
        assert map_page(path, page) is None
        page.databytecounts = page.databytecounts[:-1]
        page.dataoffsets = page.dataoffsets[:-1]
        assert map_page(path, page) is None


def test_threads_cut_what_one_cuts(file: Path) -> None:
    pixels, expected = mapped(file), as_rgb(tifffile.imread(file))
    corners = [(x, y) for x in range(0, 100, 7) for y in range(0, 80, 9)]
    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(lambda at: pixels[at[1] : at[1] + 50, at[0] : at[0] + 50], corners))
    for (x, y), crop in zip(corners, actual, strict=True):
        np.testing.assert_array_equal(crop, expected[y : y + 50, x : x + 50])


@pytest.mark.parametrize("options", [{}, {"tile": (256, 256)}], ids=["striped", "tiled"])
def test_warm_looks_at_every_page_of_the_file_that_holds_pixels(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiff(tmp_path / "a.tiff", tissue(1700, 900), **options)
    pixels, touched = mapped(path), []
    sample = mapped_module._a_byte_of_each_page

    def watched(values: Pixels) -> Pixels:
        actual = sample(values)
        start, step = actual.__array_interface__["data"][0], actual.strides[0]
        touched.append(np.arange(start, start + step * len(actual), step))
        return actual

    monkeypatch.setattr(mapped_module, "_a_byte_of_each_page", watched)
    warm(pixels)
    addresses = np.concatenate(touched)
    assert (np.diff(addresses) > 0).all()
    pages = np.unique(addresses // 4096)
    np.testing.assert_array_equal(pages, np.arange(pages[0], pages[-1] + 1))
    assert len(pages) >= path.stat().st_size // 4096


@pytest.mark.parametrize(
    "pixels", [PIXELS, PIXELS[:0], np.broadcast_to(PIXELS[..., :1], PIXELS.shape)]
)
def test_warm_is_harmless_for_any_array(pixels: np.ndarray[Any, Any]) -> None:
    warm(pixels)


def test_warm_reads_files_of_every_layout(file: Path) -> None:
    pixels = mapped(file)
    assert pixels is not None
    warm(pixels)
