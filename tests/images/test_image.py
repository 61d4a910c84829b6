"""Regions at level 0 and resampled: white beyond the edges, the same from whatever region, from
many threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from midog.images import open_picture
from midog.images.image import SlideImage, as_image, open_image
from midog.images.opened_file import OpenedFile, downsample_of, in_memory
from midog.images.pixels import Pixels
from midog.mpp import StatedMpp
from tests.images.pictures import BIG, PIXELS, TILE, tiff

# Regions


READERS = {
    "mapped": {},
    "mapped tiles": {"tile": TILE},
    "strips": {"compression": "deflate"},
    "tiles": {"compression": "lzw", "tile": TILE},
}
REGION = st.tuples(*[st.integers(-900, 900)] * 2, *[st.integers(0, 300)] * 2)


@given(REGION)
def test_a_region_is_the_image_with_white_around_it(region: tuple[int, int, int, int]) -> None:
    x, y, width, height = region
    padded = np.full((3000, 3000, 3), 255, np.uint8)
    padded[1000 : 1000 + BIG.shape[0], 1000 : 1000 + BIG.shape[1]] = BIG
    actual = as_image(BIG, 0.25).read(x, y, width, height)
    np.testing.assert_array_equal(actual, padded[1000 + y :, 1000 + x :][:height, :width])


@pytest.mark.parametrize("options", READERS.values(), ids=READERS.keys())
def test_beyond_the_edges_of_a_file_is_white(tmp_path: Path, options: dict[str, Any]) -> None:
    with open_image(tiff(tmp_path / "a.tiff", **options)) as image:
        actual = image.read(-10, -20, 200, 200)
        np.testing.assert_array_equal(actual[20:150, 10:160], PIXELS)
        actual[20:150, 10:160] = 255
        assert (actual == 255).all()
        assert (image.read(150, 0, 5, 5) == 255).all()
        assert image.read(3, 3, 0, 7).shape == (7, 0, 3)
        corner = image.read(np.int64(1), np.int64(2), np.int64(3), np.int64(4))  # type: ignore[arg-type]
        np.testing.assert_array_equal(corner, PIXELS[2:6, 1:4])


@pytest.mark.parametrize("options", READERS.values(), ids=READERS.keys())
def test_what_is_read_can_be_drawn_on_and_stays_apart(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with open_image(tiff(tmp_path / "a.tiff", **options)) as image:
        image.read(0, 0, 9, 9)[:] = 0
        np.testing.assert_array_equal(image.read(0, 0, 150, 130), PIXELS)


@pytest.mark.parametrize("options", READERS.values(), ids=READERS.keys())
def test_threads_read_what_one_reads(tmp_path: Path, options: dict[str, Any]) -> None:
    corners = [(x, y) for x in range(-20, 700, 40) for y in range(-20, 600, 90)]
    with (
        open_image(tiff(tmp_path / "a.tiff", BIG, **options)) as image,
        ThreadPoolExecutor(8) as pool,
    ):
        actual = list(pool.map(lambda at: image.read(*at, 64, 64), corners))
    for at, pixels in zip(corners, actual, strict=True):
        np.testing.assert_array_equal(pixels, as_image(BIG, None).read(*at, 64, 64))


def test_threads_decode_a_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode_picture = open_picture._decode

    def slow(path: Path) -> Pixels:
        decoded.append(path)
        time.sleep(0.05)
        return decode_picture(path)

    monkeypatch.setattr(open_picture, "_decode", slow)
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image, ThreadPoolExecutor(4) as pool:
        actual = list(pool.map(lambda x: image.read(x, 0, 9, 9), range(8)))
    assert len(decoded) == 1
    np.testing.assert_array_equal(actual[7], PIXELS[:9, 7:16])


# Resampling


SCALES = st.sampled_from([0.03, 0.25, 0.499 / 0.55, 0.5, 0.9084, 1.0, 1.1, 1.996, 3.0])


@settings(max_examples=60, deadline=None)
@given(REGION, SCALES, st.data())
def test_a_region_is_the_same_part_of_a_larger_region(
    region: tuple[int, int, int, int], scale: float, data: st.DataObject
) -> None:
    x, y, width, height = region
    dx, dy = data.draw(st.integers(0, width)), data.draw(st.integers(0, height))
    image = as_image(BIG, None)
    larger = image.read_scaled(x, y, width, height, scale)
    part = image.read_scaled(x + dx, y + dy, width - dx, height - dy, scale)
    assert larger.shape == (height, width, 3)
    np.testing.assert_array_equal(part, larger[dy:, dx:])


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.75, 1.5, 2.0])
def test_it_is_what_pillow_makes_of_the_whole_image(scale: float) -> None:
    pixels = BIG[:600]
    size = (int(700 * scale), int(600 * scale))
    expected = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)).astype(
        int
    )
    image = as_image(pixels, None)
    assert image.scaled_size(scale) == size
    difference = np.abs(image.read_scaled(0, 0, *size, scale) - expected)
    # Pillow resamples in two passes, rounded to whole grey levels, and picks their order by the
    # shape of the region.
    assert difference.max() <= 2
    assert difference.mean() < 0.05


@pytest.mark.parametrize("scale", [0.3, 0.9, 1.7])
def test_scaled_beyond_the_edges_is_white_and_the_edges_are_not(scale: float) -> None:
    image = as_image(np.zeros((130, 150, 3), np.uint8), None)
    width, height = image.scaled_size(scale)
    actual = image.read_scaled(-30, -30, width + 60, height + 60, scale)
    inside = actual[30:-30, 30:-30].copy()
    actual[30:-30, 30:-30] = 255
    assert (actual == 255).all()
    assert (inside[: int(130 * scale) - 2, : int(150 * scale) - 2] == 0).all()


def test_scale_one_is_a_plain_read() -> None:
    image = as_image(BIG, 0.25)
    assert (image.width, image.height, image.mpp) == (700, 620, (0.25, 0.25))
    assert image.scaled_size(1.0) == (700, 620)
    np.testing.assert_array_equal(
        image.read_scaled(-3, 5, 400, 300, 1.0), image.read(-3, 5, 400, 300)
    )


@given(st.integers(1, 9000), st.integers(1, 9000), st.floats(0.01, 4))
def test_scaled_size_rounds_up(width: int, height: int, scale: float) -> None:
    image = as_image(np.broadcast_to(np.uint8(0), (height, width, 3)), None)
    for side, scaled in zip((width, height), image.scaled_size(scale), strict=True):
        assert scaled >= 1
        assert scaled - 1 < side * scale <= scaled + 1e-9


# Levels and overviews


def pyramid_of(pixels: Pixels, *factors: int) -> SlideImage:
    """An image whose further levels are its pixels, averaged over squares of that side."""
    height, width = pixels.shape[:2]
    levels = [in_memory(pixels, 0.25).levels[0]]
    for factor in factors:
        small = Image.fromarray(pixels).reduce(factor)
        level = in_memory(np.asarray(small), None).levels[0]
        downsample = downsample_of(level.size, (width, height))
        levels.append(replace(level, downsample=downsample))
    return SlideImage(Path("array"), OpenedFile(tuple(levels), StatedMpp(), lambda: None))


def test_the_level_for_a_scale_is_the_coarsest_that_is_fine_enough() -> None:
    image = pyramid_of(BIG, 2, 4, 8)
    chosen = {1.0: 0, 2.0: 0, 0.6: 0, 0.5: 1, 0.3: 1, 0.25: 2, 0.2: 2, 1 / 8: 3, 0.01: 3}
    assert {scale: image.level_for(scale) for scale in chosen} == chosen


@pytest.mark.parametrize("scale", [0.5, 0.3, 0.25, 0.1, 1 / 32])
def test_an_overview_is_level_0_resampled_wherever_it_comes_from(scale: float) -> None:
    smooth = np.asarray(Image.fromarray(BIG).resize((200, 150)).resize((797, 603)))
    image = pyramid_of(smooth, 2, 4, 8)
    actual = image.overview(scale).astype(int)
    size = image.scaled_size(scale)
    expected = image.read_scaled(0, 0, *size, scale)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 20
    assert np.abs(actual - expected).mean() < 3


def test_a_plain_image_has_one_level_and_its_overview_is_resampled() -> None:
    image = as_image(BIG, 0.25)
    assert [(level.size, level.downsample) for level in image.levels] == [((700, 620), 1)]
    np.testing.assert_array_equal(image.overview(0.25), image.read_scaled(0, 0, 175, 155, 0.25))


@settings(max_examples=30, deadline=None)
@given(REGION, st.sampled_from([0.5, 0.25, 0.11]), st.integers(0, 2), st.data())
def test_a_region_of_a_level_resampled_is_part_of_a_larger_region(
    region: tuple[int, int, int, int], scale: float, level: int, data: st.DataObject
) -> None:
    x, y, width, height = region
    dx, dy = data.draw(st.integers(0, width)), data.draw(st.integers(0, height))
    image = pyramid_of(BIG, 2, 4)
    larger = image.read_scaled(x, y, width, height, scale, level)
    part = image.read_scaled(x + dx, y + dy, width - dx, height - dy, scale, level)
    np.testing.assert_array_equal(part, larger[dy:, dx:])
