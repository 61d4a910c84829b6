"""The result of a study: its rows, what they cost and how they scored; as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from midog._version import __version__
from midog.data.csv_text import spreadsheet_cell
from midog.json_text import plain
from midog.studies.columns import COLUMNS, column_of
from midog.studies.costs import Cost
from midog.studies.study_settings import VAL, ChooseSettings
from midog.studies.table import LEVEL, SEEN, UNSEEN, Line

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RowFacts:
    """What is known of a row beside its scores.

    Attributes:
        name: Of the row.
        about: What it is.
        changes: Its settings over the study's config, and how its models detect, as `key=value`.
        budget: Of each training, in words; "": what its settings say.
        trainings: Planned for it; several rows may share them.
        trained: Of these, those that are done.
        cost: Of the trainings that a detector needs together, mean over the detectors whose
            trainings are done.
        ms_per_megapixel: What detection took, per 10^6 level-0 px; NaN where it was not measured.
    """

    name: str
    about: str
    changes: tuple[str, ...]
    budget: str
    trainings: int
    trained: int
    cost: Cost
    ms_per_megapixel: float


@dataclass(frozen=True)
class Choice:
    """The row that val chose.

    Attributes:
        row: Its name; "" where a row is not scored on val yet.
        by: The score's header.
        design: The design whose line counts.
        scanners: "seen" or "unseen", those of val that count.
        value: The score; NaN without a row.
        waiting: Rows that are not scored yet.
    """

    row: str
    by: str
    design: str
    scanners: str
    value: float
    waiting: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The table of a study.

    Attributes:
        name: Of the study.
        about: What it asks.
        rows: In the order of the study file.
        tests: Test sets in words, by name, val first.
        lines: Of the table.
        choice: The row that val chose; None where the study does not choose.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    name: str
    about: str
    rows: tuple[RowFacts, ...]
    tests: Mapping[str, str]
    lines: tuple[Line, ...]
    choice: Choice | None
    resamples: int
    seed: int

    @property
    def trainings(self) -> int:
        """Trainings of all rows; shared ones count for each of them."""
        return sum(row.trainings for row in self.rows)

    @property
    def unscored(self) -> tuple[str, ...]:
        """Rows without a line, as none of their detectors is scored yet."""
        scored = {line.row for line in self.lines}
        return tuple(row.name for row in self.rows if row.name not in scored)

    def part(self, rows: Collection[str], designs: Collection[str] = ()) -> StudyResult:
        """Its lines of some rows and designs, as they are in the whole table; none named: all.

        What val chose is chosen among all rows.
        """
        lines = tuple(
            line
            for line in self.lines
            if (not rows or line.row in rows) and (not designs or line.design in designs)
        )
        names = {*(line.row for line in lines), *self.unscored}
        own = (row for row in self.rows if row.name in names and (not rows or row.name in rows))
        return replace(self, rows=tuple(own), lines=lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None."""
        tree = {
            "schema_version": SCHEMA_VERSION,
            "midog": __version__,
            "study": self.name,
            "about": self.about,
            "bootstrap": {
                "unit": "patient",
                "level": LEVEL,
                "resamples": self.resamples,
                "seed": self.seed,
            },
            "columns": {key: column.about for key, column in COLUMNS.items()},
            "tests": {
                name: {"words": words, "report_only": name != VAL}
                for name, words in self.tests.items()
            },
            "rows": [asdict(row) for row in self.rows],
            "choice": None if self.choice is None else asdict(self.choice),
            "lines": [_line(line) for line in self.lines],
        }
        values: dict[str, Any] = plain(tree)
        return values

    def to_csv(self) -> str:
        """A line per line of the table, with a header; an empty cell where a value is undefined.

        A quote is put before text that a spreadsheet would take for a formula.
        """
        facts = {row.name: row for row in self.rows}
        rows = [self._cells(line, facts[line.row]) for line in self.lines]
        text = io.StringIO()
        header = list(rows[0]) if rows else ["row", "design", "part", "test", "scanners"]
        writer = csv.DictWriter(text, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def _cells(self, line: Line, row: RowFacts) -> dict[str, str]:
        cells: dict[str, Any] = {
            "row": line.row,
            "design": line.design,
            "part": line.part,
            "test": line.test,
            "scanners": line.scanners,
            "seen": "yes" if line.seen else "no",
            "report_only": "no" if line.test == VAL else "yes",
            "done": line.done,
            "planned": line.planned,
            "rois": line.rois,
            "figures": line.figures,
        }
        for key, score in line.scores.items():
            cells[key] = score.value
            cells |= {f"{key}_{name}": getattr(score, name) for name in ("sd", "low", "high")}
            cells[f"{key}_worst"] = score.worst
            gain = line.gain.get(key)
            cells[f"{key}_gain"] = math.nan if gain is None else gain.value
            cells[f"{key}_gain_low"] = math.nan if gain is None else gain.low
            cells[f"{key}_gain_high"] = math.nan if gain is None else gain.high
        cells |= {
            "budget": row.budget,
            **asdict(row.cost),
            "ms_per_megapixel": row.ms_per_megapixel,
        }
        return {key: _text(value) for key, value in cells.items()}


def choose_row(
    settings: ChooseSettings, rows: Sequence[str], designs: Sequence[str], lines: Sequence[Line]
) -> Choice:
    """Choose the row of the best score on val; of equal ones the first.

    Args:
        settings: How; its column was checked by `column_of`.
        rows: Names of the rows.
        designs: Designs of the study.
        lines: Of the table.
    """
    key = column_of(settings.by)
    design = settings.design or designs[0]
    own = [line for line in lines if (line.test, line.design) == (VAL, design) and line.is_summary]
    apart = any(line.scanners == UNSEEN for line in own)
    scanners = settings.scanners or (UNSEEN if apart else SEEN)
    scored = {
        line.row: line.scores[key].value
        for line in own
        if line.scanners == scanners and line.done == line.planned
    }
    scored = {row: value for row, value in scored.items() if not math.isnan(value)}
    waiting = tuple(row for row in rows if row not in scored)
    if waiting:
        return Choice("", COLUMNS[key].header, design, scanners, math.nan, waiting)
    sign = -1 if COLUMNS[key].is_error else 1
    best = max(scored, key=lambda row: sign * scored[row])
    return Choice(best, COLUMNS[key].header, design, scanners, scored[best], ())


def _line(line: Line) -> dict[str, Any]:
    own = {key: value for key, value in vars(line).items() if key not in ("scores", "gain")}
    return own | {
        "report_only": line.test != VAL,
        "scores": {key: asdict(score) for key, score in line.scores.items()},
        "gain": {key: asdict(gain) for key, gain in line.gain.items()},
    }


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return spreadsheet_cell(value) if isinstance(value, str) else str(value)
