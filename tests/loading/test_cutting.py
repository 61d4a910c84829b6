"""From locations to patches: windows of other sizes are resampled, whatever memory they lie in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.loading.cutting import cut_location, cut_patch, patch_at
from midog.loading.locations import Location
from midog.loading.rois_on_device import copy_to_device

CPU = torch.device("cpu")


def smooth(width: int = 200, height: int = 150) -> np.ndarray:
    """A picture whose levels are twice x, twice y and 90."""
    y, x = np.mgrid[:height, :width]
    return np.stack([np.minimum(x, 127) * 2, np.minimum(y, 127) * 2, x * 0 + 90], -1).astype(
        np.uint8
    )


def cut(image: np.ndarray, place: Location, side: int = 64) -> np.ndarray:
    out = np.empty((side, side, 3), np.uint8)
    cut_location(image, place, out)
    return out


@pytest.mark.parametrize("window", [32, 50, 64, 80, 96])
def test_a_window_becomes_the_patch_to_the_pixel(window):
    patch = cut(smooth(), Location(0, 20, 10, 0, window)).astype(float)
    along = (np.arange(64) + 0.5) * window / 64 - 0.5
    inner = slice(2, 62)
    np.testing.assert_allclose(patch[32, inner, 0], 2 * (20 + along)[inner], atol=0.8)
    np.testing.assert_allclose(patch[inner, 32, 1], 2 * (10 + along)[inner], atol=0.8)


@pytest.mark.parametrize("window", [40, 64, 80, None])
@pytest.mark.parametrize("corner", [(20, 10), (-30, -5), (150, 120)])
def test_the_device_makes_the_same_patches(window, corner):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    places = [Location(0, *corner, 0, window), Location(0, 3, 4, 0, 64 if window else None)]
    expected = np.stack([cut(image, place) for place in places]).astype(int)
    views = copy_to_device([image], 80, CPU).views(places, 64).numpy()
    assert np.abs(views - expected).max() <= (1 if window else 0)


def test_a_patch_is_a_view_where_no_pixel_changes():
    image, spare = smooth(), np.zeros((64, 64, 3), np.uint8)
    assert np.shares_memory(patch_at(image, Location(0, 5, 6, 0), spare), image)
    assert patch_at(image, Location(0, -5, 6, 0), spare) is spare
    assert patch_at(image, Location(0, 5, 6, 0, 80), spare) is spare
    plain = np.empty_like(spare)
    cut_patch(image, 5, 6, 64, plain)
    assert np.array_equal(patch_at(image, Location(0, 5, 6, 0, 64), spare), plain)
