"""The mpp of an ROI: what overrules what, one kind of error, and the resampling that follows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.data.mpp import area_mm2, mpp_of_image, resampling, roi_mpp
from midog.data.roi import Roi
from midog.errors import ImageError
from midog.images.image import as_image
from midog.mpp import GivenMpp, Mpp, StatedMpp, as_statement, settle

PIXELS = np.zeros((4, 4, 3), np.uint8)


def stated(mpp: float | None) -> StatedMpp:
    return StatedMpp() if mpp is None else StatedMpp(Mpp.of(mpp), "TIFF resolution")


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
    assert roi_mpp(Roi("1.png", mpp=own), stated(image), given) == Mpp(mpp, mpp)


@pytest.mark.parametrize("given", [(0.25, 0.2524), Mpp(0.25, 0.2524)])
def test_each_axis_may_be_given(given):
    assert roi_mpp(Roi("1.png"), stated(0.25), given) == Mpp(0.25, 0.2524)
    assert mpp_of_image(as_image(PIXELS, given)) == Mpp(0.25, 0.2524)


def test_an_unknown_mpp_is_an_error_that_names_the_roi_and_what_to_do():
    with pytest.raises(ImageError, match=r"1.png: its mpp .* is unknown; give mpp .*column `mpp`"):
        roi_mpp(Roi("1.png"), stated(None))


def test_a_density_of_screens_is_no_mpp_and_is_named():
    side = 25400 / 72
    of_screen = settle("1.png", [as_statement("JFIF density", side, side, is_density=True)])
    line = r"unknown \(its JFIF density states 72 dpi .*, a density of screens .*\); give mpp"
    with pytest.raises(ImageError, match=line):
        roi_mpp(Roi("1.png"), of_screen)
    assert roi_mpp(Roi("1.png", mpp=0.25), of_screen) == (0.25, 0.25)


@pytest.mark.parametrize("wrong", [25.0, 0.001])
def test_a_file_whose_mpp_is_out_of_range_is_named_with_its_source(wrong, caplog):
    in_file = settle("1.tif", [as_statement("TIFF resolution", wrong, wrong, is_density=True)])
    line = rf"1.tif: mpp {wrong:g} \(its TIFF resolution\) is out of range, 0.05 to 5 .*give mpp"
    with pytest.raises(ImageError, match=line):
        roi_mpp(Roi("1.tif"), in_file)
    assert not caplog.records
    assert roi_mpp(Roi("1.tif"), in_file, 0.25) == (0.25, 0.25)
    assert "1.tif: 0.25 um per px, as given by you, the split or the annotation" in caplog.text
    assert f"though its TIFF resolution states {wrong:g}" in caplog.text


@pytest.mark.parametrize("wrong", [0.0, -0.25, 0.04, 5.1, 40.0, 100.0, math.nan, math.inf])
def test_an_mpp_out_of_range_is_an_error_whoever_gives_it(wrong):
    with pytest.raises(ImageError, match=r"a.png: mpp .* is out of range, 0.05 to 5.*; give mpp"):
        roi_mpp(Roi("a.png"), stated(0.25), wrong)
    with pytest.raises(ImageError, match=r"a.png: mpp .* is out of range"):
        roi_mpp(Roi("a.png", mpp=wrong), stated(0.25))
    with pytest.raises(ImageError, match=r"array: mpp .* is out of range.*; give mpp"):
        mpp_of_image(as_image(PIXELS, 0.25), wrong)


@pytest.mark.parametrize(("own", "warns"), [(0.2504, False), (0.2512, True), (0.124, True)])
def test_a_split_that_contradicts_the_file_is_said(own, warns, caplog):
    assert roi_mpp(Roi("1.tif", mpp=own), stated(0.25)) == (own, own)
    assert bool(caplog.records) == warns
    assert not warns or f"1.tif: {own:g} um per px, as given by you, the split" in caplog.text
    assert not warns or "though its TIFF resolution states 0.25" in caplog.text


def test_a_number_for_px_of_unequal_sides_is_said(caplog):
    in_file = StatedMpp(Mpp(0.25, 0.2504), "TIFF resolution")
    assert roi_mpp(Roi("1.tif", mpp=0.25), in_file) == (0.25, 0.25)
    assert "though its TIFF resolution states 0.25 x 0.2504" in caplog.text


def test_it_is_said_once_for_all_images_alike(caplog):
    for number in range(3):
        roi_mpp(Roi(f"{number}.tif", mpp=0.777), stated(0.25))
    assert [record.getMessage()[:5] for record in caplog.records] == ["0.tif"]


def test_an_area_needs_both_sides_and_the_mpp():
    assert area_mm2(4000, 2000, Mpp.of(0.25)) == pytest.approx(0.5)
    assert area_mm2(4000, 2000, Mpp(0.25, 0.5)) == pytest.approx(1.0)
    assert all(map(math.isnan, (area_mm2(None, 2, Mpp.of(0.25)), area_mm2(2, 2, None))))


def test_the_mpp_that_is_given_overrules_the_images():
    assert mpp_of_image(as_image(PIXELS, 0.5), 0.25) == (0.25, 0.25)
    assert mpp_of_image(as_image(PIXELS, 0.5)) == (0.5, 0.5)
    with pytest.raises(ImageError, match=r"array: its mpp \(um per px\) is unknown; give mpp"):
        mpp_of_image(as_image(PIXELS, None))


@pytest.mark.parametrize(
    ("mpp", "words"),
    [
        (Mpp.of(2.5), "a.tif: at 2.5 um per px it is enlarged 10-fold for the model's 0.25"),
        (Mpp.of(0.06), "a.tif: at 0.06 um per px it is shrunk 4.17-fold"),
        (Mpp(0.3, 0.8), "a.tif: at 0.3 x 0.8 um per px it is enlarged 3.2-fold"),
        (Mpp.of(0.5), ""),
        (Mpp.of(0.125), ""),
    ],
)
def test_a_resampling_by_more_than_two_is_said(mpp, words, caplog):
    scale = resampling("a.tif", (128, 100), mpp, 0.25)
    assert scale == pytest.approx((mpp.x / 0.25, mpp.y / 0.25))
    assert words in caplog.text
    assert len(caplog.records) == bool(words)


@pytest.mark.parametrize(("mpp", "said"), [(0.2, False), (0.2271, False), (0.19, True)])
def test_the_scanners_of_40x_are_ordinary_for_a_model_of_half_a_micrometre(mpp, said, caplog):
    resampling("a.tif", (128, 100), Mpp.of(mpp), 0.5)
    assert bool(caplog.records) == said


def test_an_image_that_would_be_enlarged_beyond_measure_is_refused():
    with pytest.raises(ImageError, match=r"enlarged to 4e\+10 px .* over 1e\+09 .*; give its true"):
        resampling("a.tif", (10_000, 10_000), Mpp.of(5.0), 0.25)
    assert resampling("a.tif", (100_000, 100_000), Mpp.of(0.5), 0.25) == (2.0, 2.0)
    assert resampling("a.tif", (100_000, 100_000), Mpp.of(0.05), 0.25) == pytest.approx((0.2, 0.2))


def test_the_warning_names_what_states_another_mpp(caplog):
    image = as_image(np.zeros((9, 9, 3), np.uint8), 0.5)
    given = GivenMpp(0.25, "slides.csv line 3")
    assert mpp_of_image(image, given) == Mpp.of(0.25)
    assert "array: 0.25 um per px, as slides.csv line 3 states, though its" in caplog.text
    assert mpp_of_image(image, GivenMpp((0.25, 0.26), "x")) == Mpp.of(0.25, 0.26)
