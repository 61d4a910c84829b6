"""The sentences of a domain-shift report: the cost, how sure it is, the hardest scanner, what else
differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from midog.metrics.bootstrap import Interval
from midog.metrics.scanner_matrix import Cell, Matrix, ModelRow
from midog.report.page import between, count, number
from midog.report.shift_rows import (
    cells_by_scanner,
    listed,
    model_names,
    ordered_rows,
    unseen_means,
)
from midog.shift.result import ShiftResult

SATURATED = 1.95
"""From here on a proxy A-distance, which is 2 at most, cannot rank pairs."""
FEW_ROIS, FEW_FIGURES = 10, 50
"""Below one of these the F1 on a scanner moves much by chance: of 50 figures, each is worth about
0.02."""


def per_cent(level: float) -> str:
    """Write a level as 95 %, kept on one line."""
    return f"{100 * level:g}\u00a0%"


def with_interval(interval: Interval, level: float) -> str:
    """Write a number with its interval: 0.31 (95 % interval 0.20–0.43)."""
    limits = "not known" if math.isnan(interval.low) else between(interval.low, interval.high)
    return f"{number(interval.value)} ({per_cent(level)} interval {limits})"


def summary(result: ShiftResult) -> list[str]:
    """Sum up the report in a few sentences, the cost of a change of scanner first; what does not
    apply is left out."""
    sentences = [
        _cost(result),
        _hardest(result.matrix),
        _confounded(result),
        _few(result.matrix),
        "" if result.same_test else _NOT_THE_SAME_TEST,
    ]
    return [sentence for sentence in sentences if sentence]


_NOT_THE_SAME_TEST = (
    "The models were not tested on the same ROIs, so F1 in one column is not of one test: "
    "a difference between models may be a difference between tests."
)


def _cost(result: ShiftResult) -> str:
    if not math.isnan(result.matrix.gap.value):
        return _mean_cost(result)
    dropped = [row for row in ordered_rows(result.matrix) if not math.isnan(row.drop.value)]
    if len(dropped) == 1:
        return _cost_of_one(result, dropped[0])
    if dropped:
        return _drops(dropped)
    why = "no model was tested both on a scanner that it was trained on and on one that it was not"
    return f"What a change of scanner costs is not known: {why}, with figures on both."


def _mean_cost(result: ShiftResult) -> str:
    matrix, level, gap = result.matrix, result.level, result.matrix.gap
    start = (
        f"A model has F1 {number(matrix.on_diagonal.value)} on the scanner that it was trained on"
        f" and {number(matrix.off_diagonal.value)} on others: "
    )
    sure = _certainty(gap, result.resamples)
    if gap.value > 0:
        return f"{start}the change of scanner costs {with_interval(gap, level)}. {sure}"
    higher = with_interval(Interval(-gap.value, -gap.high, -gap.low), level)
    return f"{start}no cost is seen, F1 is higher on others by {higher}. {sure}"


def _cost_of_one(result: ShiftResult, row: ModelRow) -> str:
    return (
        f"The model trained on {model_names(result.matrix)[row.name]} has F1"
        f" {number(row.seen.value)} on what it has seen and {number(row.unseen.value)} on what it"
        f" has not: a drop of {with_interval(row.drop, result.level)}."
        f" {_certainty(row.drop, result.resamples)}"
    )


def _drops(rows: Sequence[ModelRow]) -> str:
    low, high = (number(pick(row.drop.value for row in rows)) for pick in (min, max))
    unsure = sum(not (row.drop.low > 0 or row.drop.high < 0) for row in rows)
    sure = (
        f"for {unsure} of {len(rows)} the interval includes 0 or is not known"
        if unsure
        else "no interval includes 0"
    )
    return (
        f"The models lose between {low} and {high} of F1 on scanners that they have not seen;"
        f" {sure}. No model of one scanner was tested on its own scanner and on another, so there"
        " is no mean gap."
    )


def _certainty(cost: Interval, resamples: int) -> str:
    if not resamples:
        return "No interval was requested, so its certainty is not known."
    if math.isnan(cost.low):
        return "Its certainty is not known: that takes two patients of each scanner, with figures."
    if cost.low <= 0 <= cost.high:
        return "The interval includes 0: these patients show neither a cost nor its absence."
    side = "above" if cost.low > 0 else "below"
    return (
        f"The interval lies {side} 0, so the choice of patients alone does not explain it; "
        "chance in training, which another seed would show, is not in it."
    )


def _hardest(matrix: Matrix) -> str:
    means = unseen_means(matrix)
    if len(means) < 2:
        return ""
    worst, best = (pick(means, key=lambda name: means[name][0]) for pick in (min, max))
    (low, models), (high, _) = means[worst], means[best]
    if low == high:
        return ""
    sentence = f"Hardest is {worst}: models that have not seen it have F1 {number(low)} there"
    sentence += f" (mean of {models}), " if models > 1 else ", "
    sentence += f"against {number(high)} on {best}, the easiest."
    own = [
        row.cells[worst].f1.value
        for row in matrix.rows
        if row.train_on == (worst,) and worst in row.cells
    ]
    mean = float(np.mean(own)) if own else math.nan  # as in the losses
    if math.isnan(mean):
        return (
            f"{sentence} Without a model of {worst} alone it is not known how much of that is the"
            " scanner and how much its tissue."
        )
    if len(own) == 1:
        return f"{sentence} The model trained on {worst} has {number(mean)} there."
    return (
        f"{sentence} The models trained on {worst} have {number(mean)} there, mean of {len(own)}."
    )


def _confounded(result: ShiftResult) -> str:
    if not result.confounders:
        return ""
    return f"In these data {confounding(result)}, so the gap is not the scanner's alone."


def confounding(result: ShiftResult) -> str:
    """State what differs between the scanners, without a full stop; result.confounders must not be
    empty."""
    columns = [confounder.column for confounder in result.confounders]
    verb = "differs" if len(columns) == 1 else "differ"
    return f"{listed(columns)} {verb} between the scanners more than chance explains"


def _few(matrix: Matrix) -> str:
    little = [
        f"{scanner} ({basis(cells)})"
        for scanner, cells in cells_by_scanner(matrix).items()
        if min(cell.rois for cell in cells) < FEW_ROIS or min(map(_figures, cells)) < FEW_FIGURES
    ]
    if not little:
        return ""
    return f"Where the test is small, F1 moves much by chance: {listed(little)}."


def basis(cells: Sequence[Cell]) -> str:
    """State what F1 on a scanner rests on: 12 ROIs, 240 figures; from-to if the models' tests
    differ."""
    parts = []
    for amounts, noun in (
        ([cell.rois for cell in cells], "ROI"),
        ([_figures(cell) for cell in cells], "figure"),
    ):
        low, high = min(amounts), max(amounts)
        parts.append(count(high, noun) if low == high else f"{low:,}–{count(high, noun)}")
    return ", ".join(parts)


def _figures(cell: Cell) -> int:
    return cell.counts.tp + cell.counts.fn


def strongest(result: ShiftResult, heads: Mapping[str, str]) -> str:
    """State which distance goes most closely with a loss, and how little that may mean.

    Args:
        result: The report.
        heads: Names of the distances to write, by name.
    """
    defined = [
        (abs(correlation.rho), name, drop, correlation)
        for name, of_name in result.correlations.items()
        for drop, correlation in of_name.items()
        if not math.isnan(correlation.rho)
    ]
    if not defined:
        return "The pairs are too few, or too alike, for a correlation."
    _, name, drop, best = max(defined, key=lambda one: one[0])
    loss = "drop from own" if drop == "from_own" else "loss to native"
    values = [("ρ", number(best.rho, 2, sign=True)), ("n", f"{best.n}"), ("p", number(best.p))]
    numbers = ", ".join(f"{symbol}\u00a0=\u00a0{value}" for symbol, value in values)
    return (
        f"Strongest here: {heads[name]} with the {loss}, {numbers}."
        f" It is the best of {len(defined)} that were tried, and one of so many looks good by"
        " chance."
    )


def beyond_halves(result: ShiftResult, name: str) -> tuple[int, int]:
    """Count the pairs that are farther apart, by a distance, than the halves of both scanners.

    Args:
        result: The report.
        name: Of the distance.

    Returns:
        That number, and of how many pairs the distance and both baselines are known.
    """
    farther = []
    for pair in result.pairs:
        apart = pair.distances[name]
        halves = (result.within[pair.a][name], result.within[pair.b][name])
        if not math.isnan(apart + sum(halves)):
            farther.append(apart > max(halves))
    return sum(farther), len(farther)


def apart(result: ShiftResult, heads: Mapping[str, str]) -> str:
    """State for each distance how many pairs exceed the larger baseline of their scanners.

    Args:
        result: The report.
        heads: Names of the distances to write, by name.
    """
    if not result.pairs:
        return ""
    parts = []
    for name, head in heads.items():
        beyond, of_known = beyond_halves(result, name)
        unknown = len(result.pairs) - of_known
        missing = f" ({unknown} not known)" if unknown else ""
        parts.append(f"{head} {beyond} of {of_known}{missing}" if of_known else f"{head} not known")
    return f"Pairs that exceed the larger baseline of their two scanners: {listed(parts)}."


def saturated(values: Sequence[float]) -> str:
    """State how many proxy A-distances are as good as 2, if most are, else ""; NaN are left out."""
    defined = [value for value in values if not math.isnan(value)]
    full = sum(value >= SATURATED for value in defined)
    if 2 * full <= len(defined):
        return ""
    return f"{SATURATED} or more in {full} of {count(len(defined), 'pair')}"
