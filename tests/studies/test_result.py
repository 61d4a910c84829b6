"""The result as JSON and CSV, and the row that val chooses."""

from __future__ import annotations

import csv
import io
import json
import math

from midog.json_text import to_json
from midog.studies.costs import Cost
from midog.studies.result import RowFacts, StudyResult, choose_row
from midog.studies.study_settings import ChooseSettings
from midog.studies.table import make_lines
from tests.studies.small import detector, scored

COST = Cost(10, 80, 4, math.nan)


def roi(hits: int):
    return scored({"a.tiff": ("A", 2, [(0.9, True)] * hits), "b.tiff": ("B", 2, [(0.9, True)])})


def lines_of(*rows: tuple[str, int, int], train_on: str = "AB"):
    """Rows: name, figures of A detected on val, and on the test."""
    detectors = [
        detector(name, {"val": roi(val), "t": roi(test)}, train_on) for name, val, test in rows
    ]
    return make_lines(detectors, ["val", "t"], resamples=20)


def result_of(*rows: tuple[str, int, int]) -> StudyResult:
    facts = tuple(
        RowFacts(name, "=about", ("a=1",), "7 updates", 1, 1, COST, 5.0) for name, *_ in rows
    )
    lines = lines_of(*rows)
    choice = choose_row(ChooseSettings(), [row.name for row in facts], ["all"], lines)
    tests = {"val": "val ROIs", "t": "test ROIs"}
    return StudyResult("s", "why", facts, tests, tuple(lines), choice, 20, 0)


def test_val_chooses_whatever_the_tests_say():
    choice = result_of(("base", 1, 2), ("better", 2, 0)).choice
    assert (choice.row, choice.by, choice.scanners) == ("better", "F1", "seen")
    assert choice.value == 6 / 7
    assert result_of(("base", 2, 0), ("equal", 2, 2)).choice.row == "base", "the first of equals"


def test_scanners_that_were_left_out_count_where_there_are_some():
    lines = lines_of(("base", 2, 0), ("worse", 0, 2), train_on="B")
    choice = choose_row(ChooseSettings(), ["base", "worse"], ["all"], lines)
    assert (choice.row, choice.scanners) == ("base", "unseen")
    seen = choose_row(ChooseSettings(scanners="seen"), ["base", "worse"], ["all"], lines)
    assert (seen.row, seen.scanners) == ("base", "seen")


def test_no_row_is_chosen_before_all_are_scored():
    choice = choose_row(ChooseSettings(), ["base", "late"], ["all"], lines_of(("base", 2, 0)))
    assert (choice.row, choice.waiting) == ("", ("late",))


def test_json_says_which_lines_choose_nothing():
    tree = json.loads(to_json(result_of(("base", 1, 2), ("better", 2, 0)).to_dict()))
    assert {line["test"]: line["report_only"] for line in tree["lines"]} == {
        "val": False,
        "t": True,
    }
    assert tree["tests"]["t"] == {"words": "test ROIs", "report_only": True}
    assert tree["choice"]["row"] == "better"
    assert tree["rows"][0]["cost"]["seconds"] is None


def test_csv_has_a_line_per_line_and_no_formula():
    result = result_of(("base", 1, 2), ("better", 2, 0))
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert len(rows) == len(result.lines)
    first = rows[0]
    assert (first["row"], first["test"], first["scanners"]) == ("base", "val", "seen")
    assert (first["updates"], first["patches"], first["seconds"]) == ("10", "80", "")
    assert (first["budget"], first["report_only"], first["f1_gain"]) == ("7 updates", "no", "")
    better = next(row for row in rows if (row["row"], row["test"]) == ("better", "val"))
    assert float(better["f1_gain"]) > 0
