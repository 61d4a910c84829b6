"""Mpp: square within 0.01 %, units of length, the plausible range, and which statement holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.mpp import (
    MPP_TOLERANCE,
    GivenMpp,
    Mpp,
    as_mpp,
    as_statement,
    both_axes,
    in_range,
    out_of_range,
    scale_for,
    settle,
    um_per_unit,
)

UNITS = {
    "um": 1,
    "µm": 1,
    "μm": 1,
    "\\u00B5m": 1,
    "Âµm": 1,
    "UM": 1,
    "micron": 1,
    "microns": 1,
    " Micrometer ": 1,
    "nm": 1e-3,
    "Å": 1e-4,
    "\u212b": 1e-4,
    "pm": 1e-6,
    "mm": 1e3,
    "millimetres": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "inch": 25400,
    "inches": 25400,
    "in": 25400,
    "thou": 25.4,
}
NO_UNITS = ["pixel", "pixels", "px", "", "null", "reference frame", "Mm", "ms", "0.25", "\0", "u"]


@pytest.mark.parametrize(("unit", "um"), UNITS.items(), ids=ascii)
def test_units_of_length(unit, um):
    assert um_per_unit(unit) == pytest.approx(um, rel=1e-12)


@pytest.mark.parametrize("word", NO_UNITS, ids=ascii)
def test_other_words_are_no_unit(word):
    assert um_per_unit(word) is None


def test_sides_that_agree_to_a_ten_thousandth_are_their_mean_and_others_are_kept():
    assert Mpp.of(0.25) == Mpp.of(0.25, 0.25) == (0.25, 0.25)
    assert Mpp.of(0.25, 0.25002) == (0.25001, 0.25001)
    assert Mpp.of(0.25, 0.2501) == (0.25, 0.2501)
    assert (str(Mpp.of(0.25)), str(Mpp.of(0.25, 0.2524))) == ("0.25", "0.25 x 0.2524")


@given(st.floats(0.05, 5))
def test_a_number_is_both_sides_to_the_bit(mpp):
    assert as_mpp(mpp) == as_mpp((mpp, mpp)) == Mpp(mpp, mpp)
    assert as_mpp(None) is None


def test_the_plausible_range_holds_its_ends_and_no_more():
    assert all(map(in_range, (0.05, 0.25, 5.0, 25400 / 5080)))
    assert not any(map(in_range, (0.0499, 5.01, 0, -1, math.nan, math.inf)))
    assert Mpp(0.25, 1.0).is_plausible
    assert not Mpp(0.25, 1.1).is_plausible
    assert "a side of a px is over 4 times the other" in out_of_range(Mpp(0.25, 1.1))
    assert not Mpp(math.nan, 0.25).is_plausible


def test_an_image_is_resampled_by_axis_unless_all_is_within_a_tenth():
    assert scale_for(Mpp(0.25, 0.2524), 0.25) == (1, 1)
    assert scale_for(Mpp(0.25, 0.5), 0.25) == (1, 2)
    assert scale_for(Mpp(0.5, 0.25), 0.25) == (2, 1)
    ratio = 1 - 0.9 * MPP_TOLERANCE
    apart = Mpp(0.25 * ratio, 0.25 / ratio)  # either within a tenth of the model's, not of another
    assert scale_for(apart, 0.25) == pytest.approx((ratio, 1 / ratio))
    assert both_axes(0.5) == both_axes((0.5, 0.5)) == (0.5, 0.5)


def state(source, mpp, *, y=None, is_density=False):
    return as_statement(source, mpp, mpp if y is None else y, is_density=is_density)


@pytest.mark.parametrize("nothing", [math.nan, math.inf, 0.0, -0.25])
def test_what_is_no_size_is_not_stated(nothing):
    assert state("OME-XML", nothing) is None
    assert settle("a.tif", [None]).mpp is None


def test_the_first_plausible_statement_holds_and_one_apart_is_said(caplog):
    held = settle("a.tif", [None, state("OME-XML", 0.5), state("TIFF resolution", 0.25)])
    assert (held.mpp, held.source) == ((0.5, 0.5), "OME-XML")
    line = "a.tif: its OME-XML states 0.5 um per px, its TIFF resolution states 0.25: the former"
    assert line in caplog.text


def test_a_statement_out_of_range_gives_way_to_a_plausible_one_and_is_said(caplog):
    held = settle("a.tif", [state("OME-XML", 250), state("TIFF resolution", 0.25)])
    assert (held.mpp, held.source) == ((0.25, 0.25), "TIFF resolution")
    assert "its TIFF resolution states 0.25 um per px, its OME-XML states 250" in caplog.text


def test_statements_within_a_five_hundredth_agree(caplog):
    assert settle("a", [state("OME-XML", 0.25), state("TIFF resolution", 0.2505)]).mpp[0] == 0.25
    assert settle("a", [state("OME-XML", 0.25, y=0.26), state("x", 0.25, y=0.26)]).mpp == (
        0.25,
        0.26,
    )
    assert not caplog.records
    settle("a", [state("OME-XML", 0.25), state("TIFF resolution", 0.25, y=0.26)])
    assert "its TIFF resolution states 0.25 x 0.26: the former is taken" in caplog.text


@pytest.mark.parametrize("dpi", [1, 72, 96, 300, 600])
def test_a_density_of_screens_and_printers_is_no_mpp(dpi, caplog):
    density = state("TIFF resolution", 25400 / dpi, is_density=True)
    alone = settle("a.tif", [density])
    assert (alone.mpp, alone.out_of_range) == (None, None)
    words = str(alone.refused)
    assert words.startswith(
        f"its TIFF resolution states {dpi} dpi ({25400 / dpi:.6g} um per px), a"
    )
    assert settle("a.tif", [density, state("EXIF resolution", 0.25)]).mpp == (0.25, 0.25)
    assert not caplog.records


def test_what_is_no_microscopes_is_kept_for_the_error():
    wrong = settle("a.tif", [state("x", 352.8, is_density=True), state("OME-XML", 250)])
    assert wrong.mpp is None
    assert str(wrong.out_of_range) == "its OME-XML states 250"


def test_one_side_alone_is_taken_as_square_and_said(caplog):
    assert settle("a.tif", [as_statement("OME-XML", 0.25, math.nan)]).mpp == (0.25, 0.25)
    assert "states 0.25 um per px for one side of its px alone" in caplog.text


def test_an_mpp_may_say_where_it_is_given():
    assert as_mpp(GivenMpp(0.25, "a.csv line 2")) == Mpp.of(0.25)
    assert as_mpp(GivenMpp((0.25, 0.5), "a.csv line 2")) == Mpp.of(0.25, 0.5)
