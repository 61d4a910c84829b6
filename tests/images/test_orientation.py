"""Orientation tags: a picture is shown as viewers show it, in TIFF, JPEG, PNG and WebP alike."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from midog.images.decode import decode
from midog.images.image import open_image
from tests.images.pictures import BIG, PIXELS, TILE, tiff, whole


def upright(orientation: int) -> np.ndarray[Any, Any]:
    picture = Image.fromarray(PIXELS)
    picture.getexif()[274] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "options", [{}, {"tile": TILE}, {"compression": "deflate"}], ids=["strips", "tiles", "packed"]
)
def test_a_tiff(tmp_path: Path, cache: Path, options: dict[str, Any], orientation: int) -> None:
    tags = [(274, "H", 1, orientation, True)]
    path = tiff(tmp_path / "a.tif", extratags=tags, **options)
    expected = upright(orientation)
    with open_image(path) as image:
        assert (image.height, image.width) == expected.shape[:2]
        np.testing.assert_array_equal(image.read(0, 0, image.width, image.height), expected)
        np.testing.assert_array_equal(image.read(20, 31, 50, 40), expected[31:71, 20:70])
    np.testing.assert_array_equal(np.asarray(decode(path, cache_dir=cache)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_picture(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(PIXELS).save(tmp_path / name, exif=exif, lossless=True, quality=95)
    stored = np.asarray(Image.open(tmp_path / name).convert("RGB"))
    if name != "a.jpg":
        np.testing.assert_array_equal(stored, PIXELS)
    picture = Image.fromarray(stored)
    picture.getexif()[274] = orientation
    np.testing.assert_array_equal(
        whole(tmp_path / name), np.asarray(ImageOps.exif_transpose(picture))
    )


def test_a_jpeg_tiff_that_openslide_reads(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", BIG, tile=TILE, compression="jpeg")
    stored = whole(path)
    turned = tiff(
        tmp_path / "b.tif", BIG, tile=TILE, compression="jpeg", extratags=[(274, "H", 1, 6, True)]
    )
    np.testing.assert_array_equal(whole(turned), np.rot90(stored, -1))


def test_it_is_said_and_values_without_a_meaning_are_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for value in (0, 9, 1):
            path = tiff(tmp_path / f"{value}.tif", extratags=[(274, "H", 1, value, True)])
            np.testing.assert_array_equal(whole(path), PIXELS)
        assert not [record for record in caplog.records if record.name.startswith("midog")]
        whole(tiff(tmp_path / "a.tif", extratags=[(274, "H", 1, 3, True)]))
    assert "orientation tag (3)" in caplog.text
