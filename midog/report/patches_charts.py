"""The charts of a classifier of patches: ROC, calibration, scores of both classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from midog.evaluation.groups import ALL
from midog.evaluation.patch_result import PatchEvaluation, PatchGroup
from midog.report.charts import (
    BLUE,
    MOST_STYLES,
    MUTED,
    VERMILLION,
    Style,
    drawing,
    legend_below,
    new_chart,
    short,
    styles_of,
    unit_axis,
)
from midog.report.evaluation_style import WHOLE, add_legend, draw_line, draw_operating_point

_BINS = 20


@drawing()
def roc(result: PatchEvaluation) -> Figure:
    """Draw the share of positives against that of negatives taken for positive, by group; a ring at
    the threshold."""
    figure, axes = new_chart()
    axes.set(xlabel="1 − specificity", ylabel="sensitivity")
    unit_axis(axes, "x")
    unit_axis(axes, "y")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3), zorder=0)
    drawn = []
    for name, group, style in _curves(result):
        if not 0 < group.positives < group.patches:
            continue
        draw_line(axes, group.roc.false_positive_rate, group.roc.true_positive_rate, style)
        at = group.fp / (group.fp + group.tn), group.tp / group.positives
        draw_operating_point(axes, *at, style)
        drawn.append((name, style))
    axes.set_aspect("equal", adjustable="box")
    add_legend(figure, axes, drawn)
    return figure


@drawing()
def reliability_diagram(result: PatchEvaluation) -> Figure:
    """Draw the share of positives among the patches of each tenth of the scores, and their
    number."""
    figure, axes = new_chart(height=4.5)
    axes.remove()
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    unit_axis(upper, "x")
    unit_axis(upper, "y")
    upper.set_ylabel(f"share that is {short(result.classes[1], 18)}")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
    drawn = []
    for name, group, style in _curves(result):
        curve = group.calibration
        filled = curve.count > 0
        draw_line(upper, curve.mean_score[filled], curve.hit_share[filled], style, marks=True)
        drawn.append((name, style))
    whole = result.groups[ALL].calibration
    lower.bar(whole.edges[:-1], whole.count, np.diff(whole.edges) * 0.92, align="edge", color=MUTED)
    for at, amount in zip((whole.edges[:-1] + whole.edges[1:]) / 2, whole.count, strict=True):
        lower.text(at, amount, f"{amount}\n", fontsize=7.5, color=MUTED, ha="center", va="center")
    most = max(int(whole.count.max()), 1)
    lower.set(xlabel="probability", ylabel="patches", yticks=[], ylim=(0, 1.3 * most))
    lower.spines["left"].set_visible(False)
    add_legend(figure, upper, drawn, "line")
    return figure


@drawing()
def histogram(result: PatchEvaluation) -> Figure:
    """Draw how the scores of the patches of each class are spread, and the threshold."""
    figure, axes = new_chart()
    unit_axis(axes, "x")
    axes.set(xlabel=f"probability of {short(result.classes[1], 18)}", ylabel="share of the class")
    edges = np.linspace(0, 1, _BINS + 1)
    entries = []
    for label, colour in ((0, BLUE), (1, VERMILLION)):
        scores = np.array([one.score for one in result.patches if one.positive == bool(label)])
        if len(scores):
            share = np.histogram(scores, edges)[0] / len(scores)
            axes.stairs(share, edges, color=colour, alpha=0.25, fill=True)
            axes.stairs(share, edges, color=colour, linewidth=1.4)
            entries.append((result.classes[label], Patch(color=colour)))
    axes.axvline(result.threshold, color=MUTED, linewidth=1, dashes=(3, 3))
    axes.text(result.threshold, 1.01, "threshold", transform=axes.get_xaxis_transform())
    legend_below(figure, entries)
    return figure


def _curves(result: PatchEvaluation) -> Iterator[tuple[str, PatchGroup, Style]]:
    """The groups of the first column that can be told apart, then "all", on top."""
    groups = {name: group for name, group in result.groups.items() if len(group.keys) == 1}
    most = sorted(groups, key=lambda name: -groups[name].patches)[:MOST_STYLES]
    for name, style in styles_of([name for name in groups if name in most]).items():
        yield name, groups[name], style
    yield ALL, result.groups[ALL], WHOLE
