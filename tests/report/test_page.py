"""Templates into pages: escaped, complete, whole or not at all; and numbers as people read them."""

from __future__ import annotations

import math
from importlib.resources import files
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from midog._version import __version__
from midog.errors import MidogError
from midog.report import page
from midog.report.page import between, count, number, render, write_page
from tests.report.markup import Page


def test_the_frame_of_all_pages_is_valid_and_names_its_maker() -> None:
    read = Page(render("base.html", {"title": "A title"}))
    assert read.problems == []
    assert read.all("title")[0].text == "A title"
    assert f"midog {__version__}" in read.text
    assert "diagnosis" in read.text


def test_a_page_forbids_itself_the_network() -> None:
    (policy,) = [
        element
        for element in Page(render("base.html", {"title": ""})).all("meta")
        if "http-equiv" in element.attributes
    ]
    assert (
        policy.attributes["content"]
        == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    )


def test_text_is_escaped_and_markup_is_not() -> None:
    assert "<title>&lt;b&gt; &amp; &#34;c&#34;</title>" in render(
        "base.html", {"title": '<b> & "c"'}
    )
    assert "<title><i></title>" in render("base.html", {"title": Markup("<i>")})


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("base.html", {})


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    write_page(tmp_path / "a.html", "base.html", {"title": "µm²"})
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == render(
        "base.html", {"title": "µm²"}
    )
    assert [each.name for each in tmp_path.iterdir()] == ["a.html"]


def test_a_place_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(MidogError, match=r"none/a\.html cannot be written"):
        write_page(tmp_path / "none" / "a.html", "base.html", {"title": ""})


def test_templates_lie_in_the_package() -> None:
    folder = files("midog.report") / "templates"
    assert {"base.html", "evaluation.html", "macros.html", "style.css"} <= {
        each.name for each in folder.iterdir()
    }


def test_the_wheel_carries_the_templates(tmp_path: Path) -> None:
    import zipfile

    from hatchling.builders.wheel import WheelBuilder

    root = Path(page.__file__).parents[2]
    wheel = next(WheelBuilder(str(root)).build(directory=str(tmp_path)))
    with zipfile.ZipFile(wheel) as archive:
        carried = {
            name for name in archive.namelist() if name.startswith("midog/report/templates/")
        }
    ours = (root / "midog" / "report" / "templates").iterdir()
    assert carried == {f"midog/report/templates/{our.name}" for our in ours}


@pytest.mark.parametrize(
    ("value", "places", "sign", "text"),
    [
        (0.8554, 3, False, "0.855"),
        (1234.5, 1, False, "1234.5"),
        (-3.25, 1, False, "−3.2"),
        (3.0, 1, True, "+3.0"),
        (-0.5, 1, True, "−0.5"),
        (0, 0, False, "0"),
        (math.nan, 3, True, "–"),
    ],
)
def test_numbers(value: float, places: int, sign: bool, text: str) -> None:
    assert number(value, places, sign) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.81, 0.89, "0.81–0.89"),
        (-7.6, 28.4, "−7.60 to 28.40"),
        (-2, -1, "−2.00 to −1.00"),
        (math.nan, 1, "–"),
        (0, math.nan, "–"),
    ],
)
def test_intervals(low: float, high: float, text: str) -> None:
    assert between(low, high, 2) == text


def test_counts() -> None:
    assert [count(each, "ROI") for each in (0, 1, 2, 2000)] == [
        "0 ROIs",
        "1 ROI",
        "2 ROIs",
        "2,000 ROIs",
    ]
