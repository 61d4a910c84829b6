"""How an ROI was chosen, in one spelling, and whether it is declared free of figures."""

from __future__ import annotations

import pytest

from midog.data.roi import Roi
from midog.data.roi_types import (
    has_figures,
    is_declared_free,
    other_types,
    parse_figure_free,
    parse_roi_type,
)
from tests.data.cohorts import boxes


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *[(text, "hotspot") for text in ("hotspot", "Hot-Spot", "hot spot ROI", "HOTSPOTS")],
        *[(text, "random") for text in ("Random", "randomly selected", "random_areas")],
        *[(text, "challenging") for text in ("challenging", "Challenging ROIs")],
        ("Tumour  Border", "tumour border"),
        ("non-hotspot", "non-hotspot"),
        ("", ""),
    ],
)
def test_a_type_has_one_spelling_and_other_words_are_kept(text: str, kind: str) -> None:
    problems: list = []
    assert parse_roi_type("a line", text, problems) == kind
    assert problems == []


@pytest.mark.parametrize(
    ("text", "near"), [("hotpsot", "hotspot"), ("chalenging", "challenging"), ("radom", "random")]
)
def test_a_slip_would_be_a_type_of_its_own_and_is_an_error(text: str, near: str) -> None:
    problems: list = []
    parse_roi_type("split.csv line 3", text, problems)
    assert [str(problem) for problem in problems] == [
        f"split.csv line 3: unknown roi_type '{text}' (did you mean {near}?); write hotspot,"
        " random, challenging, or a word that is unlike these"
    ]


def test_other_types_are_named_once() -> None:
    rois = [
        Roi(f"{n}", columns={"roi_type": kind}) for n, kind in enumerate(["rim", "rim", "hotspot"])
    ]
    assert other_types(rois) == [
        "roi_type is none of hotspot, random, challenging, and used as it is: rim (2)"
    ]
    assert other_types(rois[2:]) == other_types([Roi("x")]) == []


def test_figure_free_is_yes_no_or_nothing() -> None:
    problems: list = []
    answers = [
        parse_figure_free("w", text, problems) for text in ("Yes", "1", "FALSE", "n", "", " ")
    ]
    assert answers == ["yes", "yes", "no", "no", "", ""]
    assert problems == []
    assert parse_figure_free("w", "perhaps", problems) == ""
    assert str(problems[0]) == "w: figure_free is 'perhaps'; write yes or no, or leave it empty"


def test_only_the_column_declares_and_only_figures_are_figures() -> None:
    assert is_declared_free(Roi("a", columns={"figure_free": "yes"}))
    assert not is_declared_free(Roi("a", columns={"roi_type": "random"}))
    assert not has_figures(Roi("a", boxes=boxes(0, 2)))
    assert has_figures(Roi("a", boxes=boxes(1, 2)))
