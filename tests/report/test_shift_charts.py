"""The charts of a domain-shift report show what they are given, also where there is nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from midog.metrics.bootstrap import Interval
from midog.report.charts import BLUE, VERMILLION, to_svg
from midog.report.shift_charts import drops, heat_map, loss_by_distance, projection


def texts(figure) -> list[str]:
    return [each.get_text() for each in figure.axes[0].texts]


def test_each_cell_of_the_heat_map_has_its_number_and_seen_ones_a_frame():
    f1 = np.array([[0.9, 0.1], [0.25, math.nan]])
    figure = heat_map(
        f1,
        np.eye(2, dtype=bool),
        ["Aperio CS2", "all but Aperio CS2"],
        ["Aperio CS2", "Hamamatsu XR"],
    )
    assert texts(figure) == ["0.90", "0.10", "0.25", "–"]
    patches = [patche for patche in figure.axes[0].patches if isinstance(patche, Rectangle)]
    frames = [patche for patche in patches if not patche.get_fill()]
    assert [(round(frame.get_x()), round(frame.get_y())) for frame in frames] == [(0, 0), (1, 1)]
    assert [bool(patche.get_hatch()) for patche in patches[:4]] == [False, False, False, True]
    darkness = [1 - np.mean(patche.get_facecolor()[:3]) for patche in patches[:3]]
    assert darkness[0] > darkness[2] > darkness[1]


def test_letters_stand_out_from_their_cell():
    values = np.linspace(0, 1, 21)[None]
    figure = heat_map(values, np.zeros((1, 21), bool), ["m"], [str(at) for at in range(21)])
    for patch, text in zip(figure.axes[0].patches, figure.axes[0].texts, strict=True):
        assert contrast(patch.get_facecolor(), text.get_color()) > 4.1


def contrast(a: object, b: object) -> float:
    """Of WCAG 2: 1 to 21."""
    low, high = sorted(map(luminance, (a, b)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: object) -> float:
    rgb = np.array(to_rgba(colour)[:3])
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_drop_is_drawn_with_its_interval_and_0_is_always_in_sight():
    figure = drops(
        [("A", Interval(0.5, 0.4, 0.6)), ("B", Interval(0.45, math.nan, math.nan))],
        Interval(0.5, 0.4, 0.7),
    )
    axes = figure.axes[0]
    assert texts(figure) == ["+0.500  (0.400–0.600)", "+0.450", "+0.500  (0.400–0.700)"]
    assert [each.get_text() for each in axes.get_yticklabels()] == ["A", "B", "mean gap"]
    assert axes.get_xlim()[0] < 0
    lines = [list(line.get_xdata()) for line in axes.lines]
    assert [0.4, 0.6] in lines


def test_without_a_gap_there_is_no_diamond():
    figure = drops([("A", Interval(0.5, 0.4, 0.6))], None)
    assert not any(line.get_marker() == "D" for line in figure.axes[0].lines)


def test_drops_that_are_not_known_are_dashes():
    assert texts(drops([("A", Interval(math.nan, math.nan, math.nan))], None)) == ["–"]


def test_scanners_differ_by_marker_and_colour_and_unlabelled_ones_are_open():
    rng = np.random.default_rng(0)
    points = {f"S{at}": rng.normal(size=(5, 2)) for at in range(7)}
    figure = projection(points, ["S3"])
    small = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 5]
    assert len({each.get_marker() for each in small}) == 7
    assert [each.get_markerfacecolor() == "none" for each in small] == [at == 3 for at in range(7)]
    entries = [each.get_text() for each in figure.legends[0].get_texts()]
    assert entries[3] == "S3 (no labels)"
    assert entries[0] == "S0"


def test_the_large_mark_is_the_mean_of_all_patches_though_not_all_are_drawn():
    points = np.random.default_rng(1).normal(size=(1000, 2))
    lines = projection({"S": points}, []).axes[0].lines
    assert len(lines[0].get_xdata()) == 250
    assert np.allclose([lines[1].get_xdata()[0], lines[1].get_ydata()[0]], points.mean(axis=0))


@pytest.mark.parametrize("points", [{}, {"S": np.zeros((0, 2))}])
def test_a_projection_of_nothing_is_drawn(points):
    assert "<svg" in to_svg(projection(points, []), name="x", label="nothing")


def test_both_losses_are_drawn_against_the_distance():
    figure = loss_by_distance(
        np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([math.nan, 0.3]), "MMD²"
    )
    own, native = figure.axes[0].lines[1:]
    assert (own.get_marker(), own.get_color()) == ("o", BLUE)
    assert (native.get_marker(), native.get_color(), native.get_markerfacecolor()) == (
        "s",
        VERMILLION,
        "none",
    )
    assert list(own.get_ydata()) == [0.1, 0.2]
    assert figure.axes[0].get_xlabel() == "MMD²"
    left, right = figure.axes[0].get_xlim()
    assert left == 0
    assert right > 2.1, "the farthest mark is whole"


def test_a_distance_that_is_nowhere_known_says_so():
    unknown = np.array([math.nan])
    assert texts(loss_by_distance(unknown, np.array([0.1]), unknown, "x")) == ["no pair with both"]
