"""The page of a study: which row val chose, its table, what the rows are and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog.report.page import UNDEFINED, between, number, write_page
from midog.studies.columns import COLUMNS, Column
from midog.studies.designs import DESIGNS
from midog.studies.result import Choice, RowFacts, StudyResult
from midog.studies.scanner_matrix import MatrixRow, matrix_of, scanners_of
from midog.studies.study_settings import VAL
from midog.studies.table import LEVEL, Line


@dataclass(frozen=True)
class Shown:
    """A score as the page shows it.

    Attributes:
        value: The mean, with its spread over seeds.
        limits: The interval over patients; "" where it is not known.
        gain: Over the first row, with its interval; "" for the first row.
    """

    value: str
    limits: str
    gain: str


@dataclass(frozen=True, eq=False)
class Section:
    """The lines of one test set.

    Attributes:
        test: Its name.
        words: What it is.
        is_val: Its scores choose a row; those of the others are reported and choose nothing.
        lines: With their scores by key of COLUMNS, those of all seen or all unseen scanners.
        by_scanner: Likewise of each scanner.
        scanners: Columns of the matrix.
        matrix: Its rows.
    """

    test: str
    words: str
    is_val: bool
    lines: list[tuple[Line, Mapping[str, Shown]]]
    by_scanner: list[tuple[Line, Mapping[str, Shown]]]
    scanners: list[str]
    matrix: list[MatrixRow]


def write_study_page(path: Path, result: StudyResult) -> None:
    """Write the table of a study as one HTML file that needs no other; the same input gives the
    same bytes.

    Raises:
        MidogError: If `path` cannot be written.
    """
    values: dict[str, Any] = {
        "title": f"Study {result.name}",
        "result": result,
        "columns": COLUMNS,
        "shown": shown,
        "designs": {line.design: DESIGNS[line.design].about for line in result.lines},
        "sections": [_section(result, test) for test in result.tests],
        "choice": words_of_choice(result.choice),
        "chosen": "" if result.choice is None else result.choice.row,
        "costs": {row.name: _cost(row) for row in result.rows},
        "level": f"{LEVEL:.0%}".replace("%", " %"),
        "trained": sum(row.trained for row in result.rows),
    }
    write_page(path, "study.html", values)


def words_of_choice(choice: Choice | None) -> str:
    """Return a sentence on the row that val chose; "" where the study does not choose."""
    if choice is None:
        return ""
    by = f"{choice.by} on the val ROIs of {choice.scanners} scanners (design {choice.design})"
    if choice.row:
        return f"val chose row {choice.row}: {by} is {number(choice.value)}"
    return f"val chooses by {by}; not scored on it yet: {', '.join(choice.waiting)}"


def shown(line: Line, key: str) -> Shown:
    """Return a score of a line as it is written."""
    column, score = COLUMNS[key], line.scores[key]
    value = number(score.value, column.decimals)
    if not math.isnan(score.sd):
        value += f" ± {number(score.sd, column.decimals)}"
    limits = between(score.low, score.high, column.decimals)
    return Shown(value, "" if limits == UNDEFINED else limits, _gain(line, column))


def _gain(line: Line, column: Column) -> str:
    gain = line.gain.get(column.key)
    if gain is None or math.isnan(gain.value):
        return ""
    text = number(gain.value, column.decimals, sign=True)
    limits = between(gain.low, gain.high, column.decimals)
    return text if limits == UNDEFINED else f"{text} ({limits})"


def _section(result: StudyResult, test: str) -> Section:
    own = [
        (line, {key: shown(line, key) for key in COLUMNS})
        for line in result.lines
        if line.test == test and not line.part
    ]
    matrix = [one for one in matrix_of(result.lines) if one.test == test]
    return Section(
        test,
        result.tests[test],
        test == VAL,
        [entry for entry in own if entry[0].is_summary],
        [entry for entry in own if not entry[0].is_summary],
        scanners_of(matrix),
        matrix,
    )


def _cost(row: RowFacts) -> list[str]:
    """Updates, patches, seconds of updates, seconds in all, ms per megapixel."""
    cost = row.cost
    places = [
        (cost.updates, 0),
        (cost.patches, 0),
        (cost.update_seconds, 1),
        (cost.seconds, 1),
        (row.ms_per_megapixel, 0),
    ]
    return [number(value, digits) for value, digits in places]
