"""Crops of an image around a spot, ringed, and as text in a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from midog.images.image import as_image
from midog.report.pictures import CROP_PX, FALSE_ALARM, MISSED, RING_UM, Ring, crop_around, data_uri

PINK = (200, 120, 170)


def tissue(size: int = 1000) -> np.ndarray:
    """One colour, with a black square of 20 px around (500, 400)."""
    pixels = np.full((size, size, 3), PINK, np.uint8)
    pixels[390:410, 490:510] = 0
    return pixels


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def dark(crop: np.ndarray) -> tuple[float, float, int]:
    """Middle x, y and width of what is black."""
    y, x = np.nonzero(crop.sum(axis=2) < 200)
    return (
        float((x.min() + x.max() + 1) / 2),
        float((y.min() + y.max() + 1) / 2),
        int(x.max() + 1 - x.min()),
    )


@pytest.mark.parametrize(("mpp", "width"), [(0.25, 20), (0.5, 40), (0.125, 10)])
def test_a_crop_is_64_um_wide_with_the_spot_in_its_middle(mpp: float, width: int) -> None:
    crop = crop_around(as_image(tissue(), mpp), 500, 400, mpp=mpp)
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    assert crop.dtype == np.uint8
    x, y, wide = dark(crop)
    assert (x, y) == (128, 128)
    assert wide == pytest.approx(width, abs=1)


def test_at_a_quarter_um_a_crop_is_the_pixels_themselves() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (600, 600, 3), np.uint8)
    crop = crop_around(as_image(pixels, 0.25), 300, 200, mpp=0.25)
    np.testing.assert_array_equal(crop, pixels[72:328, 172:428])


def test_beyond_the_edge_it_is_white() -> None:
    crop = crop_around(as_image(tissue(), 0.25), 0, 0, mpp=0.25)
    assert (crop[:128] == 255).all()
    assert (crop[:, :128] == 255).all()
    assert (crop[128:, 128:] == PINK).all()


def test_a_spot_outside_of_the_image_and_pixels_larger_than_a_crop_are_no_error() -> None:
    assert (crop_around(as_image(tissue(), 0.25), -900, 5000, mpp=0.25) == 255).all()
    assert (crop_around(as_image(tissue(), 100.0), 10, 10, mpp=100.0) == PINK).all()


@pytest.mark.parametrize("ring", [FALSE_ALARM, MISSED, Ring((0, 215, 70))])
def test_a_ring_lies_around_the_spot_and_leaves_it_to_be_seen(ring: Ring) -> None:
    image = as_image(np.full((600, 600, 3), PINK, np.uint8), 0.25)
    crop = crop_around(image, 300.5, 300.5, mpp=0.25, ring=ring).astype(int)
    y, x = np.mgrid[:CROP_PX, :CROP_PX] + 0.5
    away = np.hypot(x - 128.5, y - 128.5) * 0.25  # um
    changed = (crop != PINK).any(axis=2)
    assert not changed[away < RING_UM - 1].any()
    assert not changed[away > RING_UM + 4].any()
    coloured = (np.abs(crop - ring.colour).max(axis=2) < 12) & (np.abs(away - RING_UM) < 0.5)
    angles = np.degrees(np.arctan2(y - 128.5, x - 128.5))[coloured]
    assert np.histogram(angles, 8, (-180, 180))[0].min() > 5  # on every side


def test_rings_differ_by_more_than_colour() -> None:
    image = as_image(np.full((600, 600, 3), PINK, np.uint8), 0.25)
    changed = {}
    for kind in ("single", "double", "broken"):
        crop = crop_around(image, 300, 300, mpp=0.25, ring=Ring((240, 20, 20), kind))
        changed[kind] = (crop != PINK).any(axis=2)
    assert changed["double"].sum() > 1.5 * changed["single"].sum()
    gaps = np.diff(changed["broken"][:, 128 + 34 : 128 + 60].any(axis=1).astype(int))
    assert (gaps == 1).sum() > 1


def test_a_ring_sits_on_the_spot_to_the_pixel_whatever_the_um_per_px() -> None:
    image = as_image(np.full((600, 600, 3), PINK, np.uint8), 0.5)
    for x in (300.0, 300.25, 300.5, 300.75):
        crop = crop_around(image, x, 300, mpp=0.5, ring=Ring((0, 0, 255)))
        columns = np.flatnonzero((crop != PINK).any(axis=(0, 2)))
        left = round(x - 64)
        assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(2 * (x - left), abs=1)


def test_pixels_come_back_from_the_page() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert data_uri(pixels, "png").startswith("data:image/png;base64,")
    np.testing.assert_array_equal(decoded(data_uri(pixels, "png")), pixels)
    uri = data_uri(tissue()[350:450, 450:550])
    assert uri.startswith("data:image/jpeg;base64,")
    assert np.abs(decoded(uri).astype(int) - tissue()[350:450, 450:550]).mean() < 2
    assert data_uri(pixels) == data_uri(pixels)
