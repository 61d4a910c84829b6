"""Candidates: places in ROIs that may be figures, each with what it is, as a CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from midog.data.csv_text import (
    Cells,
    number_fix,
    number_in,
    read_table,
    spreadsheet_cell,
    text_of_cell,
)
from midog.data.text_file import Problems, file_name_in, raise_problems, read_text
from midog.errors import DataError
from midog.files import replace_text

Origin = Literal["annotation", "out-of-fold", "in-fold", "unknown"]
"""Where a candidate is from: an annotated figure, or a detection of a model that did not train on
its ROI (out-of-fold), that did (in-fold), or of which nobody knows."""

FIGURE_LABEL = "mitotic figure"
OTHER_LABEL = "non-mitotic figure"

COLUMNS = ("file_name", "x", "y", "label", "origin", "score")
_NEEDED = COLUMNS[:4]


class Candidate(NamedTuple):
    """A place in an ROI.

    file_name: of the ROI. x, y: its centre, level-0 px. label: what is there ("mitotic figure").
    origin: see `Origin`. score: of the detection, in [0, 1]; NaN for what is annotated.
    """

    file_name: str
    x: float
    y: float
    label: str
    origin: Origin = "unknown"
    score: float = math.nan


def write_candidates(path: Path, candidates: Iterable[Candidate]) -> None:
    """Write candidates as a CSV with the columns file_name, x, y, label, origin, score.

    Args:
        path: The file to replace; missing folders on the way are made.
        candidates: In the order of the lines. Px are rounded to 1/1000, scores to 6 digits.

    Raises:
        DataError: The file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for candidate in candidates:
        score = "" if math.isnan(candidate.score) else f"{candidate.score:.6g}"
        name, place = spreadsheet_cell(candidate.file_name), (candidate.x, candidate.y)
        x, y = (f"{round(value, 3):.10g}" for value in place)
        table.writerow([name, x, y, spreadsheet_cell(candidate.label), candidate.origin, score])
    replace_text(path, text.getvalue(), DataError, parents=True)


def read_candidates(path: Path) -> list[Candidate]:
    """Read candidates from a CSV; origin and score may be missing.

    Raises:
        DataError: It cannot be read, lacks a column, or a line is wrong, which is named.
    """
    file = read_text(path)
    table = read_table(path, file.text)
    if missing := [name for name in _NEEDED if name not in table.header]:
        raise DataError(
            f"{path} has no column {', '.join(missing)}",
            f"give a CSV with the columns {', '.join(COLUMNS)}",
        )
    problems: Problems = list(table.problems)
    candidates = [_candidate(where, cells, problems) for where, cells in table.lines]
    raise_problems(problems)
    return candidates


def _candidate(where: str, cells: Cells, problems: Problems) -> Candidate:
    """One line; what is wrong with it is added to the problems."""
    x, y = (_number(where, cells, name, problems) for name in ("x", "y"))
    score = math.nan
    if cells.get("score"):
        score = _number(where, cells, "score", problems)
        if not 0 <= score <= 1:
            problems.append(DataError(f"{where}: score {score:g} is not within 0 to 1"))
    origin = cells.get("origin") or "unknown"
    if origin not in get_args(Origin):
        words = ", ".join(get_args(Origin))
        problems.append(DataError(f"{where}: origin {origin!r} is none of {words}"))
    name, label = file_name_in(text_of_cell(cells["file_name"])), text_of_cell(cells["label"])
    for column, value in (("file_name", name), ("label", label)):
        if not value:
            problems.append(DataError(f"{where} has no {column}", "write one on each line"))
    return Candidate(name, x, y, label, cast(Origin, origin), score)


def _number(where: str, cells: Cells, column: str, problems: Problems) -> float:
    value = number_in(cells[column])
    if value is None or not math.isfinite(value):
        text = cells[column]
        problems.append(DataError(f"{where}: {column} {text!r} is no number", number_fix(text)))
        return 0.0
    return value


def require_rois(candidates: Sequence[Candidate], file_names: Iterable[str], source: Path) -> None:
    """Check that candidates are of these ROIs.

    Args:
        candidates: From `source`.
        file_names: Of the ROIs.
        source: Where they were read, for the error.

    Raises:
        DataError: One is of another ROI.
    """
    listed = set(file_names)
    others = sorted({one.file_name for one in candidates} - listed)
    if others:
        raise DataError(
            f"{source} lists candidates in {len(others)} files that the data folder does not have"
            f" ({others[0]}, …)",
            "give candidates of these data",
        )
