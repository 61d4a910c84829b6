"""The charts of an evaluation: precision-recall, FROC, F1 by group, counts against truth,
calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from midog.evaluation.groups import ALL
from midog.evaluation.result import Evaluation, GroupScores, RoiScores
from midog.metrics.bootstrap import Interval
from midog.metrics.points import Values
from midog.report.charts import (
    BLUE,
    FAINT,
    INK,
    MOST_STYLES,
    MUTED,
    ORANGE,
    Style,
    drawing,
    legend_below,
    new_chart,
    short,
    unit_axis,
    write_in_middle,
)
from midog.report.evaluation_style import (
    WHOLE,
    add_legend,
    draw_line,
    draw_marks,
    draw_operating_point,
    styles_of_groups,
)
from midog.report.page import between, number

MOST_ROWS = 40
"""Groups that the chart of F1 has room for."""

_FROC_END = 8.0
"""False positives per ROI up to which the challenge takes the area."""


@drawing()
def precision_recall(result: Evaluation) -> Figure:
    """Draw precision against recall at every threshold, over lines of equal F1; a ring where the
    counts were taken."""
    figure, axes = new_chart()
    axes.set(xlabel="recall", ylabel="precision")
    unit_axis(axes, "x")
    unit_axis(axes, "y")
    _equal_f1(axes)
    drawn = []
    for name, group, style in _curves(result):
        if group.figures == 0:
            continue
        draw_line(axes, group.curve.recall, group.curve.precision, style)
        draw_operating_point(axes, group.counts.recall, group.counts.precision, style)
        drawn.append((name, style))
    add_legend(figure, axes, drawn)
    return figure


@drawing()
def froc(result: Evaluation, per: Literal["mm2", "ROI"]) -> Figure:
    """Draw recall against false positives per mm2 or per ROI at every threshold; a ring where the
    counts were taken."""
    figure, axes = new_chart()
    axes.set(xlabel="false positives per " + ("mm²" if per == "mm2" else "ROI"), ylabel="recall")
    unit_axis(axes, "y")
    axes.grid(color=FAINT, linewidth=0.6)
    drawn, ends, points = [], [0.0], [0.0]
    for name, group, style in _curves(result):
        alarms = group.froc.fp_per_mm2 if per == "mm2" else group.froc.fp_per_roi
        here = group.counts.fp / (group.area_mm2 if per == "mm2" else group.rois)
        if group.figures == 0 or np.isnan(alarms).any():
            continue
        draw_line(axes, np.append(0, alarms), np.append(0, group.froc.recall), style)
        draw_operating_point(axes, here, group.counts.recall, style)
        drawn.append((name, style))
        ends.append(float(alarms[-1]))
        points.append(here)
    end = _FROC_END if per == "ROI" else min(max(ends), max(4 * max(points), 1.0)) or 1.0
    axes.set_xlim(-0.02 * end, 1.02 * end)
    add_legend(figure, axes, drawn)
    return figure


@drawing()
def forest(result: Evaluation) -> Figure:
    """Draw F1 of each group with its interval, under that of all."""
    rows = list(result.groups.items())[:MOST_ROWS]
    figure, axes = new_chart(height=max(3.9, 0.8 + 0.3 * len(rows)))
    unit_axis(axes, "x")
    axes.set(xlabel="F1", ylim=(len(rows) - 0.4, -0.6))
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_yticks(range(len(rows)), [_indented(name, group) for name, group in rows])
    styles = styles_of_groups(result)
    for row, (name, group) in enumerate(rows):
        _forest_row(axes, row, group, styles[_first_of(name, group)])
    f1 = result.groups[ALL].values["f1"]
    if not math.isnan(f1):
        axes.axvline(f1, color=MUTED, linewidth=0.8, dashes=(3, 3), zorder=0)
    return figure


def _forest_row(axes: Axes, row: int, group: GroupScores, style: Style) -> None:
    f1, interval = group.values["f1"], group.intervals.get("f1")
    if interval is not None:  # of unknown ends nothing is drawn
        axes.plot([interval.low, interval.high], [row, row], color=style.colour, linewidth=1.6)
    size = 6 if len(group.keys) < 2 else 4
    axes.plot([f1], [row], style.marker, color=style.colour, markersize=size)
    place = axes.get_yaxis_transform()
    axes.text(1.04, row, _f1_words(f1, interval), transform=place, va="center", fontsize=8.5)


@drawing()
def threshold_cost(result: Evaluation) -> Figure:
    """Draw for each group how 1 is made up: F1, the threshold's loss, the ranking's loss."""
    groups = {name: one for name, one in result.groups.items() if one.figures}
    rows = list(groups.items())[:MOST_ROWS]
    figure, axes = new_chart(height=max(2.4, 1.1 + 0.3 * len(rows)))
    unit_axis(axes, "x")
    axes.set(xlabel="F1, and what it lacks", ylim=(max(len(rows), 1) - 0.4, -0.6))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_yticks(range(len(rows)), [_indented(name, group) for name, group in rows])
    begin = np.zeros(len(rows))
    drawn = [
        ("f1", "F1", BLUE),
        ("threshold_loss", "threshold loss", ORANGE),
        ("ranking_loss", "ranking loss", FAINT),
    ]
    for key, _, colour in drawn:
        width = np.array([group.values[key] for _, group in rows])
        axes.barh(range(len(rows)), width, left=begin, height=0.62, color=colour)
        begin = begin + width
    if not rows:
        write_in_middle(axes, "no group has a figure")
    legend_below(figure, [(label, Patch(color=colour)) for _, label, colour in drawn], columns=3)
    return figure


@drawing()
def counts_against_truth(result: Evaluation) -> Figure:
    """Draw detected against true figures per mm2, a mark for each ROI."""
    return _against_truth(_rois(result), "figures per mm²", _densities)


@drawing()
def hotspot_counts(result: Evaluation) -> Figure:
    """Draw detected against true counts in the hotspots, a mark for each ROI."""
    assert result.hotspots is not None
    rows = {row.file_name: (row.true, row.detected) for row in result.hotspots.rois}

    def counts(rois: Sequence[RoiScores]) -> tuple[Values, Values]:
        true, detected = np.array([rows[roi.file_name] for roi in rois], np.float64).T
        return true, detected

    return _against_truth(_rois(result, known_area=False), "figures in the hotspot", counts)


def _against_truth(
    groups: Iterator[tuple[str, Sequence[RoiScores], Style]],
    what: str,
    values_of: Callable[[Sequence[RoiScores]], tuple[Values, Values]],
) -> Figure:
    """Draw detected against true values of ROIs, over the line on which they are equal."""
    figure, axes = new_chart()
    axes.set(xlabel=f"true {what}", ylabel=f"detected {what}")
    drawn, most = [], 0.0
    for name, rois, style in groups:
        true, detected = values_of(rois)
        draw_marks(axes, true, detected, style)
        drawn.append((name, style))
        most = max(most, true.max(), detected.max())
    most = most or 1.0
    axes.plot([0, most], [0, most], color=MUTED, linewidth=0.8, dashes=(3, 3), zorder=0)
    axes.set(xlim=(-0.04 * most, 1.06 * most), ylim=(-0.04 * most, 1.06 * most))
    axes.set_aspect("equal", adjustable="box")
    add_legend(figure, axes, drawn, "marks")
    return figure


@drawing()
def bland_altman(result: Evaluation) -> Figure:
    """Draw detected less true figures per mm2 against their mean, a mark for each ROI, with bias
    and limits of agreement."""
    figure, axes = new_chart()
    axes.set(xlabel="mean of true and detected, per mm²", ylabel="detected − true, per mm²")
    drawn = []
    for name, rois, style in _rois(result):
        true, detected = _densities(rois)
        draw_marks(axes, (true + detected) / 2, detected - true, style)
        drawn.append((name, style))
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.margins(x=0.06, y=0.14)
    agreed = result.groups[ALL].agreement
    limits = [("bias + 1.96 sd", agreed.high, (4, 3)), ("bias − 1.96 sd", agreed.low, (4, 3))]
    for what, value, dashes in [("bias", agreed.bias, (1, 0)), *(limits if agreed.sd else [])]:
        if not math.isnan(value):
            axes.axhline(value, color=MUTED, linewidth=0.9, dashes=dashes, zorder=0)
            words, place = f"{what}\n{number(value, 1, sign=True)}", axes.get_yaxis_transform()
            axes.text(1.01, value, words, transform=place, va="center", fontsize=8, color=MUTED)
    add_legend(figure, axes, drawn, "marks")
    return figure


@drawing()
def calibration(result: Evaluation) -> Figure:
    """Draw the share of figures among the detections of each bin of scores, and their number."""
    figure, axes = new_chart(height=4.5)
    axes.remove()
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    unit_axis(upper, "x")
    unit_axis(upper, "y")
    upper.set_ylabel("share that are figures")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
    drawn = []
    for name, group, style in _curves(result):
        curve = group.calibration
        filled = curve.count > 0
        draw_line(upper, curve.mean_score[filled], curve.hit_share[filled], style, marks=True)
        drawn.append((name, style))
    whole = result.groups[ALL].calibration
    lower.bar(whole.edges[:-1], whole.count, np.diff(whole.edges) * 0.92, align="edge", color=MUTED)
    middles, middle = (whole.edges[:-1] + whole.edges[1:]) / 2, {"ha": "center", "va": "center"}
    for at, amount in zip(middles, whole.count, strict=True):
        lower.text(at, amount, f"{amount}\n", fontsize=7.5, color=MUTED, **middle)
    lower.set(
        xlabel="score", ylabel="detections", yticks=[], ylim=(0, 1.3 * max(whole.count.max(), 1))
    )
    lower.spines["left"].set_visible(False)
    add_legend(figure, upper, drawn, "line")
    return figure


def _curves(result: Evaluation) -> Iterator[tuple[str, GroupScores, Style]]:
    """The groups that have detections, "all" last, on top; of many groups those that can be told
    apart."""
    styles = styles_of_groups(result)
    for name, style in [*list(styles.items())[1 : MOST_STYLES + 1], (ALL, WHOLE)]:
        if len(result.groups[name].curve.thresholds):
            yield name, result.groups[name], style


def _rois(
    result: Evaluation, *, known_area: bool = True
) -> Iterator[tuple[str, Sequence[RoiScores], Style]]:
    """ROIs by the value of the first column; those of groups that share a style together."""
    styles, names_of = styles_of_groups(result), dict[Style, list[str]]()
    for name in list(styles)[1:]:
        names_of.setdefault(styles[name], []).append(name)
    for style, names in names_of.items():
        rois = [roi for roi in result.rois if roi.keys[result.by[0]] in names]
        if rois := [roi for roi in rois if roi.area_mm2 > 0 or not known_area]:
            yield names[0] if len(names) == 1 else "others", rois, style


def _densities(rois: Sequence[RoiScores]) -> tuple[Values, Values]:
    """True and detected figures per mm2 of each ROI, (R,) and (R,)."""
    true, detected = np.array([(roi.figures_per_mm2, roi.found_per_mm2) for roi in rois]).T
    return true, detected


def _first_of(name: str, group: GroupScores) -> str:
    """Of a nested group, the name of the group by the first column that it is in."""
    return next(iter(group.keys.values()), name)


def _indented(name: str, group: GroupScores) -> str:
    return "    " * max(0, len(group.keys) - 1) + short(
        list(group.keys.values())[-1] if group.keys else name
    )


def _f1_words(f1: float, interval: Interval | None) -> str:
    if interval is None or math.isnan(interval.low):
        return number(f1)
    return f"{number(f1)}  ({between(interval.low, interval.high)})"


def _equal_f1(axes: Axes) -> None:
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / 2, 1, 200)[1:]
        precision = f1 * recall / (2 * recall - f1)
        axes.plot(
            recall[precision <= 1], precision[precision <= 1], color=FAINT, linewidth=0.8, zorder=0
        )
        axes.text(1.03, f1 / (2 - f1), f"F1 {f1}", fontsize=7.5, color=MUTED, va="center")
