"""Tables of scores as the commands print them: a line per group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midog.cli.shared import number, print_table
from midog.cli.terminal import say

if TYPE_CHECKING:
    from midog.evaluation.comparison import Comparison
    from midog.evaluation.result import Evaluation
    from midog.evaluation.tuning import Tuned


def print_scores(result: Evaluation) -> None:
    """Print a line for each group: every measure with a column, and the main one's interval."""
    from midog.evaluation.measures import MAIN, MEASURES

    measures = [measure for measure in MEASURES.values() if measure.table]
    header = ["group", "ROIs", "figures", "TP", "FP", "FN"]
    for measure in measures:
        header.append(measure.table)
        if result.resamples and measure.key == MAIN:
            header.append(f"{result.level:.0%} interval")
    rows = []
    for name, group in result.groups.items():
        counts = [group.rois, group.figures, group.counts.tp, group.counts.fp, group.counts.fn]
        row = [name, *map(str, counts)]
        for measure in measures:
            row.append(number(group.values[measure.key]))
            if result.resamples and measure.key == MAIN:
                limits = group.intervals[MAIN]
                row.append(f"{number(limits.low)} - {number(limits.high)}")
        rows.append(row)
    print_table(header, rows)


def print_comparison(result: Comparison) -> None:
    """Print a line for each group and score, and how p is to be read on stderr."""
    header = ["group", "score", "A", "B", "A - B", f"{result.level:.0%} interval", "p"]
    rows = []
    for name, gains in result.differences.items():
        for key, gain in gains.items():
            values = [number(groups[name].values[key]) for groups in (result.a, result.b)]
            limits = f"{number(gain.low, '+')} to {number(gain.high, '+')}"
            rows.append([name, key, *values, number(gain.value, "+"), limits, number(gain.p)])
    print_table(header, rows)
    say(_about_p(result))


def print_tuned(tuned: Tuned) -> None:
    """Print the counts and ratios that the new threshold gives on val."""
    alarms = number(tuned.counts.fp / tuned.area_mm2) if tuned.area_mm2 > 0 else "-"
    header = ["threshold", "ROIs", "TP", "FP", "FN", "precision", "recall", "F1", "FP/mm2"]
    counts = [tuned.rois, tuned.counts.tp, tuned.counts.fp, tuned.counts.fn]
    ratios = [tuned.counts.precision, tuned.counts.recall, tuned.counts.f1]
    print_table(
        header,
        [[number(tuned.threshold), *map(str, counts), *map(number, ratios), alarms]],
    )


def _about_p(result: Comparison) -> str:
    patients = {name: group.patients for name, group in result.a.items()}
    line = (
        f"p: A and B swapped for each of {patients['all']} patients; of one row alone, not"
        " corrected for many rows"
    )
    few = [
        f"{name} {number(2 / 2**count)}"
        for name, count in patients.items()
        if 2 <= count < 6 and 2**count <= result.resamples
    ]
    if few:
        line += f"; with so few patients p cannot fall below 2/2^patients: {', '.join(few)}"
    return line
