"""Tables of scores as the commands print them: a line per group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midog.cli.shared import number, print_table
from midog.cli.terminal import say, show

if TYPE_CHECKING:
    from midog.evaluation.comparison import Comparison
    from midog.evaluation.result import Evaluation, GroupScores
    from midog.evaluation.tuning import Tuned


def print_scores(result: Evaluation) -> None:
    """Print a line for each group: every measure with a column, and the main one's interval; then
    what the threshold costs, and the tissue without figures."""
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
    print_threshold_cost(result)
    print_figure_free(result)
    print_hotspots(result)


def print_hotspots(result: Evaluation) -> None:
    """Print the counts in hotspots of each group, below a blank line; nothing where they were not
    asked for."""
    if result.hotspots is None:
        return
    header = [f"in {result.hotspots.wanted.words}", "ROIs", "true", "detected"]
    for words in ("bias", "Spearman", "ICC"):
        header += _interval_header(result, words)
    header += ["limits of agreement"]
    rows = []
    for name, group in result.hotspots.groups.items():
        agreed = group.agreement
        row = [name, str(agreed.rois), number(group.true), number(group.detected)]
        for limits in (group.bias, group.spearman, group.icc):
            row.append(number(limits.value))
            if result.resamples:
                row.append(f"{number(limits.low)} - {number(limits.high)}")
        rows.append([*row, f"{number(agreed.low)} - {number(agreed.high)}"])
    show("")
    print_table(header, rows)


def print_threshold_cost(result: Evaluation) -> None:
    """Print what the threshold costs each group, below a blank line; nothing where the scores do
    not hold it. How it is to be read goes to stderr."""
    if result.written.lack:
        say(
            "what the threshold costs is not known, as for other thresholds than its own:"
            f" {result.written.lack}"
        )
        return
    rows = [
        [
            name,
            number(group.values["f1"]),
            number(group.values["oracle_f1"]),
            number(group.oracle.threshold) + "*" * group.oracle.at_floor,
            *_with_interval(result, group, "threshold_loss"),
            *_with_interval(result, group, "ranking_loss"),
        ]
        for name, group in result.groups.items()
    ]
    header = ["group", "F1", "oracle F1", "at"]
    for words in ("threshold loss", "ranking loss"):
        header += _interval_header(result, words)
    show("")
    print_table(header, rows)
    say(
        "oracle F1: at the threshold that is best for these very figures: an upper bound, not to be"
        " published as F1"
    )
    floor = f"detections that score below {result.written.floor:.3g} are not known"
    at_floor = any(group.oracle.at_floor for group in result.groups.values())
    say(floor + ("; * with them the oracle's F1 might be higher" if at_floor else ""))


def print_figure_free(result: Evaluation) -> None:
    """Print the false alarms of each group's ROIs without figures, below a blank line; nothing
    where no group has such ROIs."""
    if not result.groups["all"].figure_free.rois:
        return
    header = ["without figures", "ROIs", "mm2", "FP"]
    for words in ("FP/mm2", "FP/ROI"):
        header += _interval_header(result, words)
    header += ["no FP", "precision elsewhere"]
    rows = []
    for name, group in result.groups.items():
        free = group.figure_free
        if free.rois:
            rows.append(
                [
                    name,
                    str(free.rois),
                    number(free.area_mm2),
                    str(free.fp),
                    *_with_interval(result, group, "figure_free_fp_per_mm2"),
                    *_with_interval(result, group, "figure_free_fp_per_roi"),
                    f"{free.clean_rois} of {free.rois}",
                    number(group.values["precision_elsewhere"]),
                ]
            )
    show("")
    print_table(header, rows)


def _interval_header(result: Evaluation, words: str) -> list[str]:
    return [words, f"{result.level:.0%} interval"] if result.resamples else [words]


def _with_interval(result: Evaluation, group: GroupScores, key: str) -> list[str]:
    """The value of a measure and, in a cell of its own, its interval if there are any."""
    value = number(group.values[key])
    if not result.resamples:
        return [value]
    limits = group.intervals[key]
    return [value, f"{number(limits.low)} - {number(limits.high)}"]


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
