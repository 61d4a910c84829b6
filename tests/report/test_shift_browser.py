"""The domain-shift page as a browser shows it, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from midog.report.shift_page import write_shift_page
from tests.report import test_browser
from tests.report.test_shift_page import CASES, TABLES

opened = test_browser.opened


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "page.html"
    write_shift_page(path, CASES["plain"]())
    return path


@pytest.mark.parametrize("name", ["seven scanners", "one model", "holes"])
def test_a_shift_page(name: str, opened: Any, tmp_path: Path) -> None:
    result = CASES[name]()
    write_shift_page(tmp_path / "page.html", result)
    page = opened(tmp_path / "page.html", test_browser.WIDTHS[0])
    for table in TABLES:
        assert page.locator(f"table#{table}").is_visible()
    assert page.locator("table#matrix tbody tr").count() == len(result.matrix.rows)
    assert page.evaluate(
        "[...document.images].every(image => image.complete && image.naturalWidth == 64)"
    )
    for width in test_browser.WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for chart in page.locator("svg.chart").all():
            assert chart.bounding_box()["width"] > 120
        assert page.screenshot(full_page=True).startswith(b"\x89PNG")


def test_a_seen_cell_is_marked_by_a_word(opened: Any, plain: Path) -> None:
    page = opened(plain, 1200)
    cells = page.locator("table#matrix td.seen")
    assert cells.count() == 3 + 6
    assert all("seen" in element.inner_text() for element in cells.all())


def test_links_lead_to_their_sections_and_the_pairs_unfold(opened: Any, plain: Path) -> None:
    page = opened(plain, 1200)
    page.get_by_role("link", name="Which distance matters").click()
    assert abs(page.locator("#which").bounding_box()["y"]) < 60
    assert not page.locator("table#losses").is_visible()
    page.locator("summary").click()
    assert page.locator("table#losses").is_visible()
