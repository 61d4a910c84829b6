"""Counts in hotspots: true against detected in their own windows, their agreement, and where they
are shown."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from midog.evaluation.scoring import evaluate
from midog.metrics.hotspot import HotspotSettings
from midog.report.evaluation_page import write_evaluation_page
from tests.evaluation.cases import NO, ROIS, YES, roi, write

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "evaluation.schema.json").read_text()
)
SMALL = HotspotSettings(0.0012, "4:3")
"""160 x 120 px of 0.25 um."""

CASES = [
    roi("a.tiff", [(100, 100), (150, 150), (900, 900)], patient="p1", width=1000, height=1000),
    roi("b.tiff", [(500, 500)], patient="p2", width=1000, height=1000),
    roi("c.tiff", [], patient="p3", width=1000, height=1000),
]


def written(tmp_path: Path) -> Path:
    """Three detections close together in a, far from the figures; one in b, and one under the
    threshold; none in c."""
    crowd = [(700, 200), (720, 220), (740, 240), (150, 150)]
    write(tmp_path / "a.json", *[(x, y, 0.9, YES) for x, y in crowd])
    write(tmp_path / "b.json", (500, 500, 0.9, YES), (510, 510, 0.2, NO))
    write(tmp_path / "c.json")
    return tmp_path


def test_each_side_has_its_own_window(tmp_path: Path) -> None:
    result = evaluate(written(tmp_path), CASES, hotspots=SMALL, resamples=0)
    assert result.hotspots is not None
    rows = [(row.true, row.detected, row.at_true) for row in result.hotspots.rois]
    assert rows == [(2, 3, 1), (1, 1, 1), (0, 0, 0)]
    assert result.hotspots.rois[0].inside_mm2 == pytest.approx(0.0012)
    whole = result.hotspots.groups["all"]
    assert (whole.true, whole.detected) == (1, pytest.approx(4 / 3))
    assert whole.bias.value == pytest.approx(1 / 3)
    assert whole.spearman.value == pytest.approx(1)


def test_without_asking_nothing_is_counted_and_nothing_else_changes(tmp_path: Path) -> None:
    folder = written(tmp_path)
    plain, counted = (
        evaluate(folder, CASES, hotspots=wanted, resamples=50) for wanted in (None, SMALL)
    )
    assert plain.hotspots is None
    tree = counted.to_dict()
    assert tree.pop("hotspots")["groups"]["all"]["rois"] == 3
    assert tree == plain.to_dict()
    assert "hotspot" not in plain.to_csv()


def test_json_keeps_to_the_schema_and_csv_has_columns(tmp_path: Path) -> None:
    result = evaluate(written(tmp_path), CASES, hotspots=SMALL, resamples=50)
    tree = json.loads(json.dumps(result.to_dict()))
    Draft202012Validator(SCHEMA).validate(tree)
    low, high = tree["hotspots"]["groups"]["all"]["intervals"]["bias"]
    assert 0 <= low <= 1 / 3 <= high <= 1
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["hotspot_figures"] for row in rows] == ["2", "1", "0"]
    assert [row["hotspot_found"] for row in rows] == ["3", "1", "0"]


def test_the_page_shows_the_counts_where_they_were_asked_for(tmp_path: Path) -> None:
    folder = written(tmp_path / "det")
    for wanted in (None, SMALL):
        result = evaluate(folder, CASES, hotspots=wanted, resamples=50)
        write_evaluation_page(tmp_path / "page.html", result, CASES, title="t")
        text = (tmp_path / "page.html").read_text()
        assert ("Counts in hotspots" in text) == (wanted is not None)
        assert ("0.0012 mm2, 4:3" in text) == (wanted is not None)


def test_an_roi_of_unknown_size_is_counted_too(folder: Path) -> None:
    result = evaluate(folder, ROIS, hotspots=HotspotSettings(), resamples=0)
    assert result.hotspots is not None
    assert [row.true for row in result.hotspots.rois] == [2, 0, 1]
    assert set(result.hotspots.groups) == set(result.groups)


def test_the_command_prints_the_counts_and_refuses_what_is_none(midog, tmp_path: Path) -> None:
    write(tmp_path / "det" / "a.json", (50, 50, 0.9, YES))
    truth = tmp_path / "truth.json"
    command = ("evaluate", tmp_path / "det", "--truth", truth, "--hotspot", 2)
    assert "only with --data" in midog(*command).err
    ran = midog("evaluate", tmp_path / "det", "--hotspot", 0, "--data", tmp_path / "none")
    assert ran.code == 1
