"""Compressed TIFFs by strips and tiles: what tifffile reads, once for all threads, and never more
than the bound."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.errors import ImageError
from midog.images import tiff_segments
from midog.images.image import open_image
from midog.images.tiff_segments import Segments, has_segments
from tests.images.pictures import BIG, PIXELS, TILE, tiff

PLANES = np.ascontiguousarray(np.moveaxis(PIXELS, 2, 0))
LAYOUTS = {
    "striped": {"rowsperstrip": 16},
    "one strip": {"rowsperstrip": 130},
    "tiled": {"tile": TILE},
}
KINDS = {
    "deflate": {"compression": "deflate"},
    "predictor": {"compression": "deflate", "predictor": True},
    "lzw": {"compression": "lzw"},
    "packbits": {"compression": "packbits"},
    "jpeg": {"compression": "jpeg"},
    "jpeg of rgb": {"compression": "jpeg", "compressionargs": {"outcolorspace": "rgb"}},
    "jpeg 2000": {"compression": "jpeg2000"},
    "webp": {"compression": "webp"},
    "zstd": {"compression": "zstd"},
    "planes": {"pixels": PLANES, "planarconfig": "separate", "compression": "deflate"},
    "planes as they are": {"pixels": PLANES, "planarconfig": "separate"},
    "big endian": {"compression": "lzw", "byteorder": ">"},
}


@pytest.fixture(
    scope="module", params=[(layout, kind) for layout in LAYOUTS for kind in KINDS], ids=str
)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout, kind = request.param
    return tiff(
        tmp_path_factory.mktemp("segments") / "a.tiff", **{**LAYOUTS[layout], **KINDS[kind]}
    )


def as_read(path: Path) -> np.ndarray[Any, Any]:
    pixels = tifffile.imread(path)
    return np.moveaxis(pixels, 0, 2) if pixels.shape[0] == 3 else pixels


def opened(path: Path) -> Segments:
    with tifffile.TiffFile(path) as file:
        assert has_segments(file.pages[0])
        return Segments(path, file.pages[0], lambda pixels: pixels)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_region_is_what_tifffile_reads(file: Path, data: st.DataObject) -> None:
    left, right = sorted(data.draw(st.integers(0, 150)) for _ in "lr")
    top, bottom = sorted(data.draw(st.integers(0, 130)) for _ in "tb")
    actual = np.full((bottom - top, right - left, 3), 7, np.uint8)
    segments = opened(file)
    segments.read_into(left, top, actual)
    segments.close()
    np.testing.assert_array_equal(actual, as_read(file)[top:bottom, left:right])


def test_an_image_is_the_same_by_regions_and_by_threads(file: Path) -> None:
    expected = as_read(file)
    corners = [(x, y) for y in range(0, 130, 20) for x in range(0, 150, 30)]
    with open_image(file) as image, ThreadPoolExecutor(8) as pool:
        np.testing.assert_array_equal(image.read(0, 0, 150, 130), expected)
        actual = list(pool.map(lambda at: image.read(*at, 40, 40), corners))
    padded = np.pad(expected, ((0, 40), (0, 40), (0, 0)), constant_values=255)
    for (x, y), region in zip(corners, actual, strict=True):
        np.testing.assert_array_equal(region, padded[y : y + 40, x : x + 40])


def counted(segments: Segments) -> list[int]:
    """The numbers of the segments that are decoded from now on."""
    numbers, load = [], segments._load
    segments._load = lambda number: (numbers.append(number), load(number))[1]  # type: ignore[method-assign]
    return numbers


def test_only_what_a_region_touches_is_decoded(tmp_path: Path) -> None:
    striped = opened(tiff(tmp_path / "a.tiff", BIG, rowsperstrip=16, compression="deflate"))
    numbers = counted(striped)
    striped.read_into(300, 100, np.empty((60, 9, 3), np.uint8))
    assert numbers == list(range(100 // 16, 160 // 16))
    tiled = opened(tiff(tmp_path / "b.tiff", BIG, tile=TILE, compression="deflate"))
    numbers = counted(tiled)
    tiled.read_into(63, 63, np.empty((2, 2, 3), np.uint8))
    assert numbers == [0, 1, 11, 12]


def test_threads_that_read_the_same_decode_it_once(tmp_path: Path) -> None:
    segments = opened(tiff(tmp_path / "a.tiff", BIG, rowsperstrip=8, compression="deflate"))
    numbers, start = counted(segments), threading.Barrier(8)

    def read(x: int) -> np.ndarray[Any, Any]:
        out = np.empty((620, 20, 3), np.uint8)
        start.wait()
        segments.read_into(x, 0, out)
        return out

    with ThreadPoolExecutor(8) as pool:
        actual = list(pool.map(read, range(0, 160, 20)))
    np.testing.assert_array_equal(np.concatenate(actual, axis=1), BIG[:, :160])
    assert sorted(numbers) == list(range(-(-620 // 8)))


def test_a_thread_goes_on_with_what_another_does_not_decode(tmp_path: Path) -> None:
    """Two threads read the same two strips: each decodes one while the other is at its own."""
    segments = opened(tiff(tmp_path / "a.tiff", BIG[:64], rowsperstrip=32, compression="deflate"))
    both, load = threading.Barrier(2, timeout=20), segments._load

    def slow(number: int) -> Any:
        both.wait()  # passes only when both are decoding
        return load(number)

    segments._load = slow  # type: ignore[method-assign]
    actual = [np.empty((64, 700, 3), np.uint8) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda out: segments.read_into(0, 0, out), actual))
    for out in actual:
        np.testing.assert_array_equal(out, BIG[:64])


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_than_the_bound_is_kept_however_large_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(tiff_segments, "_KEPT_BYTES", most * 10 * 700 * 3)
    segments = opened(tiff(tmp_path / "a.tiff", BIG, rowsperstrip=10, compression="deflate"))
    actual = np.empty_like(BIG)
    segments.read_into(0, 0, actual)
    np.testing.assert_array_equal(actual, BIG)
    assert list(segments._kept) == list(range(62))[-most:]
    numbers = counted(segments)
    segments.read_into(0, 610, actual[:10])
    assert numbers == []


def test_what_was_read_lately_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_segments, "_KEPT_BYTES", 3 * 10 * 700 * 3)
    segments = opened(tiff(tmp_path / "a.tiff", BIG, rowsperstrip=10, compression="deflate"))
    for strip in (0, 1, 2, 0, 3):
        segments.read_into(0, 10 * strip, np.empty((10, 700, 3), np.uint8))
    assert list(segments._kept) == [2, 0, 3]


@pytest.mark.parametrize("kind", ["deflate", "lzw", "jpeg"])
@pytest.mark.parametrize("layout", ["striped", "tiled"])
def test_a_damaged_segment_is_an_error_each_time_and_the_others_can_be_read(
    tmp_path: Path, layout: str, kind: str
) -> None:
    path = tiff(tmp_path / "a.tiff", BIG, **{**LAYOUTS[layout], **KINDS[kind]})
    with tifffile.TiffFile(path) as file:
        start, count = file.pages[0].dataoffsets[-1], file.pages[0].databytecounts[-1]
    expected = tifffile.imread(path)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(count))
    with open_image(path) as image:
        np.testing.assert_array_equal(image.read(0, 0, 700, 500), expected[:500])
        for _ in range(2):
            with pytest.raises(ImageError, match=r"a\.tiff (cannot be read|is damaged)"):
                image.read(690, 610, 10, 10)
        np.testing.assert_array_equal(image.read(0, 0, 700, 500), expected[:500])


def test_an_interrupted_read_can_be_done_again(tmp_path: Path) -> None:
    segments = opened(tiff(tmp_path / "a.tiff", compression="deflate"))
    load = segments._load

    def interrupted(number: int) -> Any:
        segments._load = load  # type: ignore[method-assign]
        raise KeyboardInterrupt

    segments._load = interrupted  # type: ignore[method-assign]
    actual = np.empty_like(PIXELS)
    with pytest.raises(KeyboardInterrupt):
        segments.read_into(0, 0, actual)
    segments.read_into(0, 0, actual)
    np.testing.assert_array_equal(actual, PIXELS)


def test_pages_whose_segments_cannot_be_had_one_by_one(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", tile=TILE, compression="deflate")
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert has_segments(page)
        counts, offsets = page.databytecounts, page.dataoffsets
        page.databytecounts, page.dataoffsets = counts[:-1], offsets[:-1]
        assert not has_segments(page)


def test_the_one_jpeg_of_an_ndpi_has_no_segments(shared: Path) -> None:
    with tifffile.TiffFile(
        shared / "data" / "slides" / "hamamatsu_fluorescence_TRITC.ndpi"
    ) as file:
        assert not has_segments(file.pages[0])


def test_a_closed_image_lets_go_of_its_file(tmp_path: Path) -> None:
    with open_image(tiff(tmp_path / "a.tiff", compression="deflate")) as image:
        image.read(0, 0, 9, 9)
    with pytest.raises(ImageError):
        image.read(0, 0, 9, 9)
