"""What a domain-shift report says in sentences: the cost, how sure it is, the hardest scanner, what
else differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from midog.metrics.bootstrap import Interval
from midog.metrics.scanner_matrix import Cell, Matrix, ModelRow
from midog.report.page import between, count, number
from midog.shift.result import ShiftResult

SATURATED = 1.95
"""From here on a proxy A-distance, which is 2 at most, cannot tell pairs apart."""
FEW_ROIS, FEW_FIGURES = 10, 50
"""Below one of these the F1 on a scanner moves much by chance: of 50 figures, each is worth about
0.02."""


def ordered_scanners(matrix: Matrix) -> list[str]:
    """Tested scanners, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in matrix.rows for name in row.cells))


def ordered_rows(matrix: Matrix) -> list[ModelRow]:
    """Models of one scanner, then those of all but one, then the rest.

    The first by their scanner and the second by the one left out, both in the order of
    `ordered_scanners`.
    """
    columns = ordered_scanners(matrix)

    def place(row: ModelRow) -> tuple[int, int]:
        left_out = _left_out(matrix, row)
        kinds = (row.train_on, left_out)
        for kind, names in enumerate(kinds):
            if len(names) == 1:
                return kind, columns.index(names[0]) if names[0] in columns else len(columns)
        return len(kinds), 0

    return sorted(matrix.rows, key=place)


def _left_out(matrix: Matrix, row: ModelRow) -> list[str]:
    """Scanners that another model was trained on and this one was not."""
    everything = dict.fromkeys(name for each in matrix.rows for name in each.train_on)
    return [name for name in everything if name not in row.train_on]


def model_names(matrix: Matrix) -> dict[str, str]:
    """What each run was trained on, in words, by its name; the name too where two were trained on
    the same."""
    said = {}
    for row in matrix.rows:
        left_out = _left_out(matrix, row)
        if len(row.train_on) > 1 and len(left_out) == 1:
            said[row.name] = f"all but {left_out[0]}"
        else:
            said[row.name] = listed(row.train_on) or "nothing"
    doubled = {text for text in said.values() if list(said.values()).count(text) > 1}
    return {run: f"{text} ({run})" if text in doubled else text for run, text in said.items()}


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def per_cent(level: float) -> str:
    """95 %, kept on one line."""
    return f"{100 * level:g}\u00a0%"


def with_interval(each: Interval, level: float) -> str:
    """0.31 (95 % interval 0.20–0.43)."""
    known = "not known" if math.isnan(each.low) else between(each.low, each.high)
    return f"{number(each.value)} ({per_cent(level)} interval {known})"


def summary(result: ShiftResult) -> list[str]:
    """The report in a few sentences, the cost of a change of scanner first; what does not apply is
    left out."""
    sentences = [
        _cost(result),
        _hardest(result.matrix),
        _confounded(result),
        _few(result.matrix),
        "" if result.same_test else _NOT_THE_SAME_TEST,
    ]
    return [each for each in sentences if each]


_NOT_THE_SAME_TEST = (
    "The models were not tested on the same ROIs, so F1 in one column is not of one test: "
    "a difference between models may be a difference between tests."
)


def _cost(result: ShiftResult) -> str:
    matrix, level = result.matrix, result.level
    gap = matrix.gap
    if not math.isnan(gap.value):
        start = (
            f"A model keeps F1 {number(matrix.on_diagonal.value)} on the scanner that it was"
            " trained on"
        )
        start += f" and has {number(matrix.off_diagonal.value)} on others: "
        if gap.value > 0:
            return (
                f"{start}the change of scanner costs {with_interval(gap, level)}."
                f" {_certainty(gap, result.resamples)}"
            )
        higher = with_interval(Interval(-gap.value, -gap.high, -gap.low), level)
        return (
            f"{start}no cost is seen, F1 is higher on others by {higher}."
            f" {_certainty(gap, result.resamples)}"
        )
    dropped = [row for row in ordered_rows(matrix) if not math.isnan(row.drop.value)]
    if len(dropped) == 1:
        row = dropped[0]
        who = (
            f"The model trained on {model_names(matrix)[row.name]} has F1 {number(row.seen.value)}"
            " on what it has seen"
        )
        what = (
            f"{number(row.unseen.value)} on what it has not: a drop of"
            f" {with_interval(row.drop, level)}."
        )
        return f"{who} and {what} {_certainty(row.drop, result.resamples)}"
    if dropped:
        return _drops(dropped)
    why = "no model was tested both on a scanner that it was trained on and on one that it was not"
    return f"What a change of scanner costs cannot be said: {why}, with figures on both."


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
        return "No interval was asked for, so how sure that is, is not known."
    if math.isnan(cost.low):
        return (
            "How sure that is, is not known: it takes two patients of each scanner, with figures."
        )
    if cost.low <= 0 <= cost.high:
        return (
            "The interval includes 0: from these patients a cost is not shown, nor that there is"
            " none."
        )
    side = "above" if cost.low > 0 else "below"
    return (
        f"The interval lies {side} 0, so the choice of patients alone does not explain it; "
        "chance in training, which another seed would show, is not in it."
    )


def unseen_means(matrix: Matrix) -> dict[str, tuple[float, int]]:
    """By scanner the mean F1 of the models that have not seen it, and how many; models of one
    scanner where there are.

    Scanners for which there is none are left out.
    """
    single = [row for row in matrix.rows if len(row.train_on) == 1]
    found = {}
    for scanner in ordered_scanners(matrix):
        cells = [row.cells[scanner] for row in single or matrix.rows if scanner in row.cells]
        values = [
            cell.f1.value for cell in cells if not cell.seen and not math.isnan(cell.f1.value)
        ]
        if values:
            found[scanner] = float(np.mean(values)), len(values)
    return found


def _hardest(matrix: Matrix) -> str:
    means = unseen_means(matrix)
    if len(means) < 2:
        return ""
    worst, best = (pick(means, key=lambda name: means[name][0]) for pick in (min, max))
    (low, models), (high, _) = means[worst], means[best]
    if low == high:
        return ""
    said = f"Hardest is {worst}: models that have not seen it have F1 {number(low)} there"
    said += f" (mean of {models}), " if models > 1 else ", "
    said += f"against {number(high)} on {best}, the easiest."
    own = [
        row.cells[worst].f1.value
        for row in matrix.rows
        if row.train_on == (worst,) and worst in row.cells
    ]
    mean = float(np.mean(own)) if own else math.nan  # as in the losses
    if math.isnan(mean):
        return (
            f"{said} No model of {worst} alone tells how much of that is the scanner and how much"
            " its tissue."
        )
    if len(own) == 1:
        return f"{said} The model trained on {worst} has {number(mean)} there."
    return f"{said} The models trained on {worst} have {number(mean)} there, mean of {len(own)}."


def _confounded(result: ShiftResult) -> str:
    if not result.confounders:
        return ""
    return f"In these data {confounding(result)}, so the gap is not the scanner's alone."


def confounding(result: ShiftResult) -> str:
    """What differs between the scanners, without a full stop; result.confounders must not be
    empty."""
    columns = [each.column for each in result.confounders]
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


def cells_by_scanner(matrix: Matrix) -> dict[str, list[Cell]]:
    """The cells of each column, in the order of `ordered_scanners`."""
    rows = ordered_rows(matrix)
    return {
        name: [row.cells[name] for row in rows if name in row.cells]
        for name in ordered_scanners(matrix)
    }


def basis(cells: Sequence[Cell]) -> str:
    """What F1 on a scanner rests on: 12 ROIs, 240 figures; from-to where the models' tests
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
    """Which distance goes most closely with a loss, in a sentence that says how little that may
    mean."""
    known = [
        (abs(each.rho), name, drop, each)
        for name, theirs in result.correlations.items()
        for drop, each in theirs.items()
        if not math.isnan(each.rho)
    ]
    if not known:
        return "There are too few pairs, or they are too alike, for a correlation."
    _, name, drop, each = max(known, key=lambda one: one[0])
    loss = "drop from own" if drop == "from_own" else "loss to native"
    values = [("ρ", number(each.rho, 2, sign=True)), ("n", f"{each.n}"), ("p", number(each.p))]
    numbers = ", ".join(f"{symbol}\u00a0=\u00a0{value}" for symbol, value in values)
    said = f"Strongest here: {heads[name]} with the {loss}, {numbers}."
    return (
        f"{said} It is the best of {len(known)} that were tried, and one of so many looks good by"
        " chance."
    )


def beyond_halves(result: ShiftResult, name: str) -> tuple[int, int]:
    """How many pairs are farther apart, by a distance, than the halves of each of their scanners;
    of how many known.

    A pair is known where its distance and both baselines are.
    """
    known = []
    for pair in result.pairs:
        apart, *halves = (
            pair.distances[name],
            result.within[pair.a][name],
            result.within[pair.b][name],
        )
        if not math.isnan(apart + sum(halves)):
            known.append(apart > max(halves))
    return sum(known), len(known)


def apart(result: ShiftResult, heads: Mapping[str, str]) -> str:
    """For each distance, how many pairs exceed the larger baseline of their scanners. heads: names
    to say, by name."""
    if not result.pairs:
        return ""
    said = []
    for name, head in heads.items():
        beyond, known = beyond_halves(result, name)
        unknown = len(result.pairs) - known
        missing = f" ({unknown} not known)" if unknown else ""
        said.append(f"{head} {beyond} of {known}{missing}" if known else f"{head} not known")
    return f"Pairs that exceed the larger baseline of their two scanners: {listed(said)}."


def saturated(values: Sequence[float]) -> str:
    """Where most proxy A-distances are as good as 2, how many of how many, else ""; NaN are left
    out."""
    known = [each for each in values if not math.isnan(each)]
    full = sum(each >= SATURATED for each in known)
    return (
        f"{SATURATED} or more in {full} of {count(len(known), 'pair')}"
        if 2 * full > len(known)
        else ""
    )
