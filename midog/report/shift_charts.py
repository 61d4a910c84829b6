"""The charts of a domain-shift report: a heat map of F1, drops, features in two dimensions, loss by
distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from midog.metrics.bootstrap import Interval
from midog.report.charts import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    VERMILLION,
    Style,
    drawing,
    legend_below,
    new_chart,
    styles_of,
    write_in_middle,
)
from midog.report.page import between, number

Values = NDArray[np.float64]

_F1_COLOURS = LinearSegmentedColormap.from_list(
    "f1", ["#ffffff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"]
)
_DARK = 0.68  # F1 from which a cell's number is white
_MOST_POINTS = 250  # of a scanner in the projection: more would hide each other
_OPEN: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 1.3}


@drawing()
def heat_map(
    f1: Values, seen: NDArray[np.bool_], models: Sequence[str], scanners: Sequence[str]
) -> Figure:
    """Draw F1 of each model on each scanner: darker is better, seen scanners framed, NaN hatched.

    Args:
        f1: (R, C) float64.
        seen: (R, C) bool, the model was trained on that scanner.
        models: (R,) names.
        scanners: (C,) names.
    """
    rows, columns = f1.shape
    names = [_lines(name) for name in models]
    left = 0.075 * max((len(line) for name in names for line in name.split("\n")), default=0)
    figure = Figure((0.5 + left + 0.95 * columns, 0.9 + 0.52 * rows), layout="constrained")
    axes = figure.add_subplot()
    axes.set(
        xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xlabel="tested on", ylabel="trained on"
    )
    axes.xaxis.set_label_position("top")
    axes.xaxis.labelpad = axes.yaxis.labelpad = 8
    axes.set_xticks(range(columns), [_lines(name, 10) for name in scanners])
    axes.set_yticks(range(rows), names)
    axes.tick_params(length=0, labelcolor=INK, labeltop=True, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)
    for row, column in np.ndindex(f1.shape):
        _heat_cell(axes, row, column, float(f1[row, column]))
    for row, column in np.argwhere(seen):
        frame = Rectangle(
            (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=VERMILLION, linewidth=2.2
        )
        axes.add_patch(frame)
    return figure


def _heat_cell(axes: Axes, row: int, column: int, value: float) -> None:
    cell = Rectangle((column - 0.5, row - 0.5), 1, 1)
    if math.isnan(value):
        cell.set(edgecolor=FAINT, facecolor="none", hatch="////")
    else:
        cell.set(edgecolor="white", facecolor=_F1_COLOURS(value))
    axes.add_patch(cell)
    colour, words = "white" if value > _DARK else INK, number(value, 2)
    axes.text(column, row, words, ha="center", va="center", color=colour, fontsize=10)


@drawing()
def drops(rows: Sequence[tuple[str, Interval]], mean: Interval | None) -> Figure:
    """Draw the drop of each model with its interval, beside a line where nothing is lost; below,
    the mean gap as a diamond.

    Args:
        rows: What each model was trained on, and its drop.
        mean: The mean gap; None leaves it out.
    """
    shown = [(_lines(name, 26), drop, "o", BLUE) for name, drop in rows]
    if mean is not None:
        shown.append(("mean gap", mean, "D", INK))
    figure, axes = new_chart(5.6, 0.9 + 0.42 * len(shown))
    axes.set(
        xlabel="F1 lost on unseen scanners (to the right: more is lost)",
        ylim=(len(shown) - 0.4, -0.6),
    )
    axes.set_yticks(range(len(shown)), [name for name, *_ in shown])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.axvline(0, color=INK, linewidth=1)
    for row, (_, drop, marker, colour) in enumerate(shown):
        axes.plot([drop.low, drop.high], [row, row], color=colour, linewidth=1.8)
        axes.plot([drop.value], [row], marker, color=colour, markersize=7)
        words = number(drop.value, sign=True)
        if not math.isnan(drop.low):
            words += f"  ({between(drop.low, drop.high)})"
        axes.text(1.03, row, words, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
    if mean is not None and len(shown) > 1:
        axes.axhline(len(shown) - 1.5, color=MUTED, linewidth=0.6)
    _hold_zero(axes)
    return figure


@drawing()
def projection(points: Mapping[str, Values], unlabelled: Sequence[str]) -> Figure:
    """Draw patches as points, open if the scanner has no labels; a large marker at each mean.

    Args:
        points: (P, 2) by scanner.
        unlabelled: Scanners without labels.
    """
    figure, axes = new_chart(5.4, 4.4)
    axes.set(xlabel="first principal component", ylabel="second principal component")
    axes.grid(color=FAINT, linewidth=0.6)
    styles, entries = styles_of(list(points)), []
    for scanner, every in points.items():
        bare = scanner in unlabelled
        name = f"{scanner} (no labels)" if bare else scanner
        entries.append((name, _draw_scanner(axes, every, styles[scanner], bare)))
    if not entries:
        write_in_middle(axes, "no patches")
    legend_below(figure, entries, columns=3)
    return figure


def _draw_scanner(axes: Axes, every: Values, style: Style, bare: bool) -> Line2D:
    """The patches of one scanner and their mean; returns what the legend shows."""
    some = every[np.linspace(0, len(every) - 1, min(len(every), _MOST_POINTS)).astype(int)]
    mark: dict[str, Any] = {"color": style.colour, "linestyle": "none", "marker": style.marker}
    face = _OPEN if bare else {"markeredgewidth": 0}
    axes.plot(*some.T, markersize=4.5, alpha=0.55, **face, **mark)
    if len(every):
        mean = axes.plot(*every.mean(axis=0), **mark)[0]
        mean.set(markerfacecolor="white" if bare else style.colour, markersize=11, zorder=3)
        mean.set(markeredgecolor=INK, markeredgewidth=1.2)
    return Line2D([], [], markersize=7, **face, **mark)


@drawing()
def loss_by_distance(distance: Values, from_own: Values, from_native: Values, label: str) -> Figure:
    """Draw both losses against one distance: a point is a model on a scanner that it has not seen.

    Args:
        distance: (N,) float64.
        from_own: (N,) float64, see `Loss`.
        from_native: (N,) float64, see `Loss`.
        label: Of the distance.
    """
    figure, axes = new_chart(2.9, 2.5)
    axes.set(xlabel=label, ylabel="F1 lost")
    axes.grid(color=FAINT, linewidth=0.6)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.plot(distance, from_own, "o", color=BLUE, markersize=6, alpha=0.85)
    axes.plot(distance, from_native, "s", color=VERMILLION, markersize=7, **_OPEN)
    axes.margins(0.1)
    ends = [0.0, *distance[~np.isnan(distance)]]
    room = 0.08 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - (room if min(ends) < 0 else 0), max(ends) + room)
    if np.isnan(distance + np.fmax(from_own, from_native)).all():
        axes.set(xticks=[], yticks=[])
        write_in_middle(axes, "no pair with both")
    return figure


def _hold_zero(axes: Axes) -> None:
    """Room on both sides of the line at 0."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.05), max(high, 0.05))


def _lines(name: str, width: int = 22) -> str:
    """A long name on several lines, cut between words."""
    lines: list[str] = []
    for word in name.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)
