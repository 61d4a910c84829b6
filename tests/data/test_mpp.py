"""The mpp of an ROI: what overrules what, and one kind of error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.data.mpp import area_mm2, first_mpp, mpp_of_image, roi_mpp
from midog.data.roi import Roi
from midog.errors import ImageError
from midog.images.image import as_image

PIXELS = np.zeros((4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("given", "own", "image", "mpp"),
    [
        (0.5, 0.25, 0.23, 0.5),
        (None, 0.25, 0.23, 0.25),
        (None, None, 0.23, 0.23),
        (0.5, None, None, 0.5),
    ],
)
def test_what_is_given_overrules_the_split_and_the_split_the_image(given, own, image, mpp):
    assert roi_mpp(Roi("1.png", mpp=own), image, given) == mpp
    assert first_mpp(given, own, image) == mpp


def test_an_unknown_mpp_is_an_error_that_names_the_roi_and_what_to_do():
    with pytest.raises(ImageError, match=r"1.png: its mpp .* is unknown; give mpp .*column `mpp`"):
        roi_mpp(Roi("1.png"), None)
    assert first_mpp(None, None) is None


@pytest.mark.parametrize("wrong", [0.0, -0.25, 100.0, math.nan, math.inf])
def test_an_mpp_out_of_range_is_an_error(wrong):
    with pytest.raises(ImageError, match=r"a.png: mpp .* is out of range; give mpp"):
        roi_mpp(Roi("a.png"), wrong)
    with pytest.raises(ImageError, match=r"array: mpp .* is out of range; give mpp"):
        mpp_of_image(as_image(PIXELS, 0.25), wrong)


def test_an_area_needs_both_sides_and_the_mpp():
    assert area_mm2(4000, 2000, 0.25) == pytest.approx(0.5)
    assert all(map(math.isnan, (area_mm2(None, 2, 0.25), area_mm2(2, 2, None))))


def test_the_mpp_that_is_given_overrules_the_images():
    assert mpp_of_image(as_image(PIXELS, 0.5), 0.25) == 0.25
    assert mpp_of_image(as_image(PIXELS, 0.5)) == 0.5
    with pytest.raises(ImageError, match=r"array: its mpp \(um per px\) is unknown; give mpp"):
        mpp_of_image(as_image(PIXELS, None))
