"""How groups are drawn in the charts of an evaluation: their styles, lines, marks and legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from midog.evaluation.groups import ALL
from midog.evaluation.result import Evaluation, GroupScores
from midog.metrics.points import Values
from midog.report.charts import (
    INK,
    MOST_STYLES,
    Style,
    legend_below,
    styles_of,
    write_in_middle,
)

WHOLE = Style(INK, "o", "-")
"""Of all ROIs together."""
Sample = Literal["curve", "line", "marks"]
"""What a legend shows: a ring on a line, a mark on a line, a mark alone."""


def first_level(result: Evaluation) -> dict[str, GroupScores]:
    """Return the groups by the first column alone, in their order."""
    return {name: group for name, group in result.groups.items() if len(group.keys) == 1}


def styles_of_groups(result: Evaluation) -> dict[str, Style]:
    """Return the style of "all" and of each group by the first column; of too many groups the ones
    with most figures differ."""
    groups = first_level(result)
    most = sorted(groups, key=lambda name: -groups[name].figures)
    chosen = set(most[:MOST_STYLES])
    in_order = [*(name for name in groups if name in chosen), *most[MOST_STYLES:]]
    return {ALL: WHOLE, **styles_of(in_order)}


def draw_line(axes: Axes, x: Values, y: Values, style: Style, marks: bool = False) -> None:
    """Draw a line, with marks if it would be invisible without."""
    line = axes.plot(x, y, color=style.colour, linestyle=style.dashes, linewidth=_width(style))[0]
    if marks or len(x) == 1:  # a line of one point is invisible
        line.set(marker=style.marker, markersize=5 if style is WHOLE else 3.5)


def draw_operating_point(axes: Axes, x: float, y: float, style: Style) -> None:
    """Draw a ring; nothing where a coordinate is NaN."""
    if math.isnan(x) or math.isnan(y):
        return
    ring = axes.plot([x], [y], style.marker, color="white", markeredgecolor=style.colour)[0]
    ring.set(markersize=8 if style is WHOLE else 6.5, zorder=5)


def draw_marks(axes: Axes, x: Values, y: Values, style: Style) -> None:
    """Draw marks without a line."""
    marks = axes.plot(x, y, style.marker, color=style.colour, markersize=6)[0]
    marks.set(markeredgecolor="white", alpha=0.8, clip_on=False)


def add_legend(
    figure: Figure, axes: Axes, drawn: Sequence[tuple[str, Style]], sample: Sample = "curve"
) -> None:
    """Add the legend in the order of the tables, or words where nothing is drawn."""
    if not drawn:
        write_in_middle(axes, "nothing to show")
    entries = sorted(drawn, key=lambda entry: entry[0] != ALL)
    legend_below(figure, [(name, _line_of(style, sample)) for name, style in entries])


def _line_of(style: Style, sample: Sample) -> Line2D:
    dashes: Literal["none", "-", "--", ":"] = "none" if sample == "marks" else style.dashes
    fill = "white" if sample == "curve" else style.colour
    line = Line2D([], [], color=style.colour, linestyle=dashes, linewidth=_width(style))
    line.set(marker=style.marker, markersize=6, markerfacecolor=fill)
    return line


def _width(style: Style) -> float:
    return 2.0 if style is WHOLE else 1.3
