"""Whole images decoded: mapped, cached or in memory, and always what reading gives."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from midog.images.decode import decode, rows_of
from midog.images.image import SlideImage, open_image
from tests.images.pictures import PIXELS, TILE, cached, packed, tiff, tissue


def test_decode_in_memory(tmp_path: Path, cache: Path) -> None:
    pixels = decode(packed(tmp_path / "a.tiff"), cache=False, cache_dir=cache)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert not pixels.flags.writeable
    assert not cache.exists()


@pytest.mark.parametrize("scale", [1.0, 0.5, 1.1])
@pytest.mark.parametrize("use_cache", [True, False])
def test_decode_is_what_reading_gives(
    tmp_path: Path, cache: Path, scale: float, use_cache: bool
) -> None:
    tall = tissue(90, 2300)  # more than one band
    path = packed(tmp_path / "a.tiff", tall, tile=TILE)
    pixels = decode(path, scale=scale, cache=use_cache, cache_dir=cache)
    with open_image(path) as image:
        np.testing.assert_array_equal(
            pixels, image.read_scaled(0, 0, *image.scaled_size(scale), scale)
        )


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.1])
def test_bands_put_together_are_the_image(tmp_path: Path, scale: float) -> None:
    path = packed(tmp_path / "a.tiff", tissue(90, 2300), tile=TILE)
    bands = list(rows_of(path, scale))
    assert [y for y, _ in bands] == [number * 512 for number in range(len(bands))]
    assert max(len(band) for _, band in bands) <= 512
    with open_image(path) as image:
        whole = image.read_scaled(0, 0, *image.scaled_size(scale), scale)
    np.testing.assert_array_equal(np.concatenate([band for _, band in bands]), whole)


def test_a_real_roi_decodes_to_its_pixels(composite: Path, cache: Path) -> None:
    path = composite / "images" / "002.tiff"
    np.testing.assert_array_equal(decode(path, cache_dir=cache), tifffile.imread(path))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_an_uncompressed_tiff_goes_to_the_cache_only_where_it_is_resampled(
    tmp_path: Path, cache: Path, scale: float
) -> None:
    path = tiff(tmp_path / "a.tiff")
    pixels = decode(path, scale=scale, cache_dir=cache)
    with open_image(path) as image:
        np.testing.assert_array_equal(
            pixels, image.read_scaled(0, 0, *image.scaled_size(scale), scale)
        )
    assert len(cached(cache)) == (scale != 1)


def test_the_second_time_it_is_not_decoded(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.tiff")
    first = decode(path, cache_dir=cache)
    monkeypatch.setattr(SlideImage, "read", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    second = decode(path, cache_dir=cache)
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, PIXELS)


def test_a_slide_of_several_files_is_not_cached(tmp_path: Path, cache: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.MRXS")
    np.testing.assert_array_equal(decode(tmp_path / "a.MRXS", cache_dir=cache), PIXELS)
    assert not cached(cache)
