"""Facts of an image: scanner, patient, um/px and size as files write them."""

from __future__ import annotations

import pytest

from midog.data.facts import normalise_scanner, parse_mpp, with_facts
from midog.data.roi import Roi
from midog.errors import DataError


def test_an_roi_takes_what_is_stated_of_it() -> None:
    problems: list[DataError] = []
    facts = {
        "scanner": "Hamammatsu XR",
        "patient": "P1",
        "mpp": "0.23",
        "width": "900",
        "height": "800",
        "tumour": "melanoma",
    }
    roi = with_facts(Roi("a.tiff", columns={"grade": "2"}), facts, "here", problems)
    assert (roi.scanner, roi.patient, roi.mpp) == ("Hamamatsu XR", "P1", 0.23)
    assert (roi.width, roi.height) == (900, 800)
    assert roi.columns == {"grade": "2", "tumour": "melanoma"}
    assert problems == []


def test_a_size_is_stated_whole_or_not_at_all() -> None:
    assert with_facts(Roi("a.tiff"), {"width": "900"}, "here", []).width is None


@pytest.mark.parametrize("text", ["-3", "0", "0.5", "nan", "wide", "1e10"])
def test_a_size_that_is_none(text: str) -> None:
    problems: list[DataError] = []
    roi = with_facts(Roi("a.tiff"), {"width": text, "height": "9"}, "here", problems)
    assert (roi.width, roi.height) == (None, None)
    assert str(problems[0]) == f"here: width is {text}; write a whole positive number"


@pytest.mark.parametrize("text", ["0", "0.00025", "40", "-0.25", "nan", "inf", "0,25", "quarter"])
def test_an_mpp_that_is_none(text: str) -> None:
    problems: list[DataError] = []
    assert parse_mpp("here", text, problems) is None
    assert str(problems[0]).startswith("here: mpp ")
    assert text.lstrip("-0") in str(problems[0])


def test_an_mpp_that_is_not_stated() -> None:
    assert parse_mpp("here", "", []) is None


def test_scanners_bear_one_name() -> None:
    assert normalise_scanner("hamamatsu nanozoomer  xr") == "Hamamatsu XR"
