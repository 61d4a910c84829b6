"""The pages as a browser shows them: no network, no script error, no sideways scrolling on a desk
or a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from midog.report.evaluation_page import write_evaluation_page
from tests.evaluation.edges import EDGES
from tests.report.test_evaluation_page import tables_of, with_images

WIDTHS = (1200, 390)


@pytest.fixture
def opened(chromium: Any):
    """Open a file at a width; what it asks for beyond itself, and what the console says, must be
    nothing."""
    pages, trouble = [], []

    def judge(route: Any) -> None:
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        else:
            trouble.append(f"asks for {route.request.url}")
            route.abort()

    def open_(path: Path, width: int) -> Any:
        page = chromium.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.route("**/*", judge)
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_
    for page in pages:
        page.close()
    assert trouble == []


@pytest.mark.parametrize("name", ["plain", "nested", "nothing_at_all"])
def test_an_evaluation(name: str, opened: Any, tmp_path: Path) -> None:
    result, rois = EDGES[name](tmp_path)
    rois = with_images(tmp_path, rois)
    write_evaluation_page(
        tmp_path / "page.html", result, rois, title="Detections in " + "a_long_name_" * 12
    )
    page = opened(tmp_path / "page.html", WIDTHS[0])
    for table in tables_of(result):
        assert page.locator(f"table#{table}").is_visible()
    assert page.locator("table#groups tbody tr").count() == len(result.groups)
    assert page.locator("table#rois tbody tr").count() == len(rois)
    assert page.evaluate(
        "[...document.images].every(image => image.complete && image.naturalWidth == 256)"
    )
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for chart in page.locator("svg.chart").all():
            box = chart.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["width"] > 300
        picture = page.screenshot(path=tmp_path / f"page{width}.png", full_page=True)
        assert picture.startswith(b"\x89PNG")


def test_a_wide_table_scrolls_in_its_own_box(opened: Any, tmp_path: Path) -> None:
    result, rois = EDGES["plain"](tmp_path)
    write_evaluation_page(tmp_path / "page.html", result, rois, title="T")
    page = opened(tmp_path / "page.html", 390)
    box = page.locator(".scroll").first
    assert box.evaluate("each => each.scrollWidth > each.clientWidth")
    box.evaluate("each => each.scrollTo(1000, 0)")
    name = page.locator("table#groups tbody th").first.bounding_box()
    assert 0 <= name["x"] < 40, "the group's name stays in sight"


def test_links_of_the_page_lead_to_its_sections(opened: Any, tmp_path: Path) -> None:
    result, rois = EDGES["plain"](tmp_path)
    write_evaluation_page(tmp_path / "page.html", result, rois, title="T")
    page = opened(tmp_path / "page.html", 1200)
    page.get_by_role("link", name="Errors by kind").click()
    assert abs(page.locator("#section-errors").bounding_box()["y"]) < 60


def test_a_request_to_the_network_would_be_noticed(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text('<img src="https://example.invalid/a.png" alt="">')
    asked = []
    page = chromium.new_page()
    page.route(
        "**/*",
        lambda route: (
            asked.append(route.request.url),
            route.continue_() if "file:" in route.request.url else route.abort(),
        ),
    )
    page.goto((tmp_path / "bad.html").as_uri())
    page.close()
    assert "https://example.invalid/a.png" in asked
