"""Figures as SVG for a page: the same bytes each time, apart from each other, with a label, without
pyplot."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from midog.report.charts import (
    MOST_STYLES,
    drawing,
    legend_below,
    new_chart,
    short,
    styles_of,
    to_svg,
    unit_axis,
    write_in_middle,
)


@drawing()
def chart() -> Figure:
    figure, axes = new_chart()
    axes.plot([0, 1, 2], [0.2, 0.4, 2.0], marker="o")
    axes.set(xlim=(0, 1), xlabel="score")  # so that a line is clipped
    return figure


def ids(svg: str) -> list[str]:
    return re.findall(r'\bid="([^"]+)"', svg)


def test_equal_figures_give_equal_bytes() -> None:
    assert to_svg(chart(), name="a", label="A") == to_svg(chart(), name="a", label="A")


def test_it_is_one_svg_element_with_a_role_and_a_label() -> None:
    svg = to_svg(chart(), name="a", label='F1 < 1 & "more"')
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("role"), root.get("aria-label"), root.get("class")) == (
        "img",
        'F1 < 1 & "more"',
        "chart",
    )
    assert svg.endswith("</svg>")


def test_it_holds_no_date_and_no_style_for_the_rest_of_the_page() -> None:
    svg = to_svg(chart(), name="a", label="A")
    assert not re.search(r"<metadata|<style|<!--|<\?xml|DOCTYPE|<dc:", svg)


def test_letters_are_shapes_so_that_no_font_is_needed() -> None:
    svg = to_svg(chart(), name="a", label="A")
    assert "<text" not in svg
    assert "font-family" not in svg


def test_two_charts_of_a_page_share_no_id_and_refer_to_their_own() -> None:
    one, two = (to_svg(chart(), name=name, label="A") for name in ("one", "two"))
    assert ids(one)
    assert not set(ids(one)) & set(ids(two))
    for svg in (one, two):
        assert len(set(ids(svg))) == len(ids(svg))
        referred = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
        assert "clip-path" in svg
        assert referred
        assert set(referred) <= set(ids(svg))


def test_the_users_own_settings_change_nothing() -> None:
    plain = to_svg(chart(), name="a", label="A")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "none"}):
        assert to_svg(chart(), name="a", label="A") == plain
        assert mpl.rcParams["font.size"] == 30


def test_a_dollar_or_an_unknown_script_in_a_name_is_drawn_as_it_is(
    recwarn: pytest.WarningsRecorder,
) -> None:
    with drawing():
        figure, axes = new_chart()
        axes.set_title("a$b^$c_{")
        write_in_middle(axes, "有丝分裂")
    ET.fromstring(to_svg(figure, name="a", label="有丝分裂"))
    assert [str(each.message) for each in recwarn] == []


def test_a_legend_makes_the_figure_taller_by_its_rows() -> None:
    with drawing():
        figure, _ = new_chart()
        before = figure.get_figheight()
        legend_below(figure, [])
        assert figure.get_figheight() == before
        legend_below(figure, [(f"_{at}", Line2D([], [])) for at in range(3)])
    assert figure.get_figheight() > before
    (legend,) = figure.legends
    assert [each.get_text().strip() for each in legend.get_texts()] == ["_0", "_1", "_2"]


def test_long_names_are_cut() -> None:
    assert short("Hamamatsu XR") == "Hamamatsu XR"
    assert short("x" * 40, most=10) == "x" * 9 + "…"
    assert short("_x") == " _x"


def test_looks_differ_while_they_can() -> None:
    styles = styles_of([str(at) for at in range(MOST_STYLES + 5)])
    assert len(set(styles.values())) == MOST_STYLES + 1
    assert (
        len({style.marker for style in list(styles.values())[:MOST_STYLES]}) == MOST_STYLES
    )  # without colour, too
    assert styles_of(["x", "y"]) == {"x": styles["0"], "y": styles["1"]}
    assert styles_of([]) == {}


def test_axes_from_0_to_1_show_a_line_on_either_edge() -> None:
    figure, axes = new_chart()
    unit_axis(axes, "x")
    assert axes.get_xlim() == (-0.02, 1.02)
    assert axes.get_ylim() == (0, 1)
    np.testing.assert_array_equal(axes.get_xticks(), [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert figure.axes == [axes]


def test_pages_load_neither_pyplot_nor_a_window() -> None:
    code = """
import sys, midog.report.evaluation_page
from midog.report.charts import new_chart, to_svg
to_svg(new_chart()[0], name="a", label="A")
print([name for name in sys.modules if name in ("matplotlib.pyplot", "tkinter")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
