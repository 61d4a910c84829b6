"""The charts of an evaluation: precision-recall, FROC, F1 by group, counts against truth,
calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from midog.evaluation.groups import ALL
from midog.evaluation.result import Evaluation, GroupScores, RoiScores
from midog.metrics.bootstrap import Interval
from midog.metrics.points import Values
from midog.report.charts import (
    FAINT,
    INK,
    MOST_LOOKS,
    MUTED,
    Look,
    drawing,
    legend_below,
    looks,
    new_chart,
    say,
    short,
    unit_axis,
)
from midog.report.page import between, number

MOST_ROWS = 40
"""Groups that the chart of F1 has room for."""

_ALL = Look(INK, "o", "-")
_Kind = Literal["curve", "line", "marks"]  # a ring on a line, a mark on a line, marks alone
_FROC_END = 8.0  # false positives per ROI up to which the challenge takes the area


def first_level(result: Evaluation) -> dict[str, GroupScores]:
    """The groups by the first column alone, in their order."""
    return {name: group for name, group in result.groups.items() if len(group.keys) == 1}


def looks_of(result: Evaluation) -> dict[str, Look]:
    """Of "all" and of each group by the first column; where there are too many, the ones with most
    figures differ."""
    groups = first_level(result)
    most = sorted(groups, key=lambda name: -groups[name].figures)
    chosen = set(most[:MOST_LOOKS])
    return {ALL: _ALL, **looks([*(name for name in groups if name in chosen), *most[MOST_LOOKS:]])}


@drawing()
def precision_recall(result: Evaluation) -> Figure:
    """Precision against recall at every threshold, over lines of equal F1; a ring where it is
    counted."""
    figure, axes = new_chart()
    axes.set(xlabel="recall", ylabel="precision")
    unit_axis(axes, "x")
    unit_axis(axes, "y")
    _equal_f1(axes)
    drawn = []
    for name, group, look in _curves(result):
        if group.figures == 0:
            continue
        _line(axes, group.curve.recall, group.curve.precision, look)
        _operating_point(axes, group.counts.recall, group.counts.precision, look)
        drawn.append((name, look))
    _finish(figure, axes, drawn)
    return figure


@drawing()
def froc(result: Evaluation, per: Literal["mm2", "ROI"]) -> Figure:
    """Recall against false positives per mm2 or per ROI at every threshold; a ring where it is
    counted."""
    figure, axes = new_chart()
    axes.set(xlabel="false positives per " + ("mm²" if per == "mm2" else "ROI"), ylabel="recall")
    unit_axis(axes, "y")
    axes.grid(color=FAINT, linewidth=0.6)
    drawn, ends, points = [], [0.0], [0.0]
    for name, group, look in _curves(result):
        alarms = group.froc.fp_per_mm2 if per == "mm2" else group.froc.fp_per_roi
        here = group.counts.fp / (group.area_mm2 if per == "mm2" else group.rois)
        if group.figures == 0 or np.isnan(alarms).any():
            continue
        _line(axes, np.append(0, alarms), np.append(0, group.froc.recall), look)
        _operating_point(axes, here, group.counts.recall, look)
        drawn.append((name, look))
        ends.append(float(alarms[-1]))
        points.append(here)
    end = _FROC_END if per == "ROI" else min(max(ends), max(4 * max(points), 1.0)) or 1.0
    axes.set_xlim(-0.02 * end, 1.02 * end)
    _finish(figure, axes, drawn)
    return figure


@drawing()
def forest(result: Evaluation) -> Figure:
    """F1 of each group with its interval, under that of all."""
    rows = list(result.groups.items())[:MOST_ROWS]
    figure, axes = new_chart(height=max(3.9, 0.8 + 0.3 * len(rows)))
    unit_axis(axes, "x")
    axes.set(xlabel="F1", ylim=(len(rows) - 0.4, -0.6))
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_yticks(range(len(rows)), [_indented(name, group) for name, group in rows])
    known = looks_of(result)
    for row, (name, group) in enumerate(rows):
        look, f1 = known[_first_of(name, group)], group.counts.f1
        interval = group.intervals.get("f1")
        if interval is not None:  # of unknown ends nothing is drawn
            axes.plot([interval.low, interval.high], [row, row], color=look.colour, linewidth=1.6)
        axes.plot(
            [f1], [row], look.marker, color=look.colour, markersize=6 if len(group.keys) < 2 else 4
        )
        axes.text(
            1.04,
            row,
            _f1_words(f1, interval),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
        )
    f1 = result.groups[ALL].counts.f1
    if not math.isnan(f1):
        axes.axvline(f1, color=MUTED, linewidth=0.8, dashes=(3, 3), zorder=0)
    return figure


@drawing()
def counts_against_truth(result: Evaluation) -> Figure:
    """Found against true figures per mm2, a mark for each ROI."""
    figure, axes = new_chart()
    axes.set(xlabel="true figures per mm²", ylabel="found figures per mm²")
    drawn, most = [], 0.0
    for name, rois, look in _known_rois(result):
        true, found = np.array([(roi.figures_per_mm2, roi.found_per_mm2) for roi in rois]).T
        _marks(axes, true, found, look)
        drawn.append((name, look))
        most = max(most, true.max(), found.max())
    most = most or 1.0
    axes.plot([0, most], [0, most], color=MUTED, linewidth=0.8, dashes=(3, 3), zorder=0)
    axes.set(xlim=(-0.04 * most, 1.06 * most), ylim=(-0.04 * most, 1.06 * most))
    axes.set_aspect("equal", adjustable="box")
    _finish(figure, axes, drawn, "marks")
    return figure


@drawing()
def bland_altman(result: Evaluation) -> Figure:
    """Found less true figures per mm2 against their mean, a mark for each ROI, with bias and limits
    of agreement."""
    figure, axes = new_chart()
    axes.set(xlabel="mean of true and found, per mm²", ylabel="found − true, per mm²")
    drawn = []
    for name, rois, look in _known_rois(result):
        true, found = np.array([(roi.figures_per_mm2, roi.found_per_mm2) for roi in rois]).T
        _marks(axes, (true + found) / 2, found - true, look)
        drawn.append((name, look))
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.margins(x=0.06, y=0.14)
    agreed = result.groups[ALL].agreement
    limits = [("bias + 1.96 sd", agreed.high, (4, 3)), ("bias − 1.96 sd", agreed.low, (4, 3))]
    for what, value, dashes in [("bias", agreed.bias, (1, 0)), *(limits if agreed.sd else [])]:
        if not math.isnan(value):
            axes.axhline(value, color=MUTED, linewidth=0.9, dashes=dashes, zorder=0)
            words = f"{what}\n{number(value, 1, sign=True)}"
            axes.text(
                1.01,
                value,
                words,
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=8,
                color=MUTED,
            )
    _finish(figure, axes, drawn, "marks")
    return figure


@drawing()
def calibration(result: Evaluation) -> Figure:
    """Share of figures among the points of each bin of scores, and how many points there are."""
    figure, axes = new_chart(height=4.5)
    axes.remove()
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    unit_axis(upper, "x")
    unit_axis(upper, "y")
    upper.set_ylabel("share that are figures")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
    drawn = []
    for name, group, look in _curves(result):
        curve = group.calibration
        filled = curve.count > 0
        _line(upper, curve.mean_score[filled], curve.hit_share[filled], look, marks=True)
        drawn.append((name, look))
    whole = result.groups[ALL].calibration
    lower.bar(whole.edges[:-1], whole.count, np.diff(whole.edges) * 0.92, align="edge", color=MUTED)
    for left, right, amount in zip(whole.edges[:-1], whole.edges[1:], whole.count, strict=True):
        lower.text(
            (left + right) / 2,
            amount,
            f"{amount}\n",
            ha="center",
            va="center",
            fontsize=7.5,
            color=MUTED,
        )
    lower.set(xlabel="score", ylabel="points", yticks=[], ylim=(0, 1.3 * max(whole.count.max(), 1)))
    lower.spines["left"].set_visible(False)
    _finish(figure, upper, drawn, "line")
    return figure


def _curves(result: Evaluation) -> Iterator[tuple[str, GroupScores, Look]]:
    """The groups that have points, "all" last, on top; of many groups those that can be told
    apart."""
    known = looks_of(result)
    for name, look in [*list(known.items())[1 : MOST_LOOKS + 1], (ALL, _ALL)]:
        if len(result.groups[name].curve.thresholds):
            yield name, result.groups[name], look


def _known_rois(result: Evaluation) -> Iterator[tuple[str, Sequence[RoiScores], Look]]:
    """ROIs of known area, by the value of the first column; those of groups that share a look
    together."""
    known, names_of = looks_of(result), dict[Look, list[str]]()
    for name in list(known)[1:]:
        names_of.setdefault(known[name], []).append(name)
    for look, names in names_of.items():
        rois = [roi for roi in result.rois if roi.keys[result.by[0]] in names and roi.area_mm2 > 0]
        if rois:
            yield names[0] if len(names) == 1 else "others", rois, look


def _first_of(name: str, group: GroupScores) -> str:
    """Of a nested group, the name of the group by the first column that it is in."""
    return next(iter(group.keys.values()), name)


def _indented(name: str, group: GroupScores) -> str:
    return "    " * max(0, len(group.keys) - 1) + short(
        list(group.keys.values())[-1] if group.keys else name
    )


def _f1_words(f1: float, interval: Interval | None) -> str:
    known = interval is not None and not math.isnan(interval.low)
    return (
        f"{number(f1)}  ({between(interval.low, interval.high)})"
        if interval and known
        else number(f1)
    )


def _line(axes: Axes, x: Values, y: Values, look: Look, marks: bool = False) -> None:
    line = axes.plot(x, y, color=look.colour, linestyle=look.dashes, linewidth=_width(look))[0]
    if marks or len(x) == 1:  # a line of one point cannot be seen
        line.set(marker=look.marker, markersize=5 if look is _ALL else 3.5)


def _operating_point(axes: Axes, x: float, y: float, look: Look) -> None:
    if not (math.isnan(x) or math.isnan(y)):
        size = 8 if look is _ALL else 6.5
        axes.plot(
            [x],
            [y],
            look.marker,
            markersize=size,
            color="white",
            markeredgecolor=look.colour,
            zorder=5,
        )


def _marks(axes: Axes, x: Values, y: Values, look: Look) -> None:
    axes.plot(
        x,
        y,
        look.marker,
        color=look.colour,
        markersize=6,
        alpha=0.8,
        markeredgecolor="white",
        clip_on=False,
    )


def _equal_f1(axes: Axes) -> None:
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / 2, 1, 200)[1:]
        precision = f1 * recall / (2 * recall - f1)
        axes.plot(
            recall[precision <= 1], precision[precision <= 1], color=FAINT, linewidth=0.8, zorder=0
        )
        axes.text(1.03, f1 / (2 - f1), f"F1 {f1}", fontsize=7.5, color=MUTED, va="center")


def _finish(
    figure: Figure, axes: Axes, drawn: Sequence[tuple[str, Look]], kind: _Kind = "curve"
) -> None:
    """The legend in the order of the tables, or words where there is nothing to show."""
    if not drawn:
        say(axes, "nothing to show")
    entries = sorted(drawn, key=lambda entry: entry[0] != ALL)
    legend_below(figure, [(name, _sample(look, kind)) for name, look in entries])


def _sample(look: Look, kind: _Kind) -> Line2D:
    style: Literal["none", "-", "--", ":"] = "none" if kind == "marks" else look.dashes
    fill = "white" if kind == "curve" else look.colour
    line = Line2D([], [], color=look.colour, linestyle=style, linewidth=_width(look))
    line.set(marker=look.marker, markersize=6, markerfacecolor=fill)
    return line


def _width(look: Look) -> float:
    return 2.0 if look is _ALL else 1.3
