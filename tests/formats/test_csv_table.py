"""CSV files hold both classes; one that cannot be written leaves the old one."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.formats.csv_table import write_csv
from tests.formats.cases import NOTHING, SOME, TOLD


def test_csv_has_both_classes_with_corners_and_centres(tmp_path: Path) -> None:
    write_csv(tmp_path / "001.csv", SOME, file_name="a, b.tiff")
    rows = list(csv.DictReader((tmp_path / "001.csv").open(newline="")))
    assert list(rows[0]) == ["file_name", "x1", "y1", "x2", "y2", "x", "y", "label", "score"]
    assert list(rows[1].values()) == [
        *("a, b.tiff", "-14.75", "175.0", "35.25", "225.0", "10.25", "200.0"),
        *("mitotic figure", "0.9"),
    ]
    assert [row["label"] for row in rows] == ["mitotic figure"] * 3 + ["non-mitotic figure"]
    for row, box in zip(rows, SOME.boxes, strict=True):
        assert [np.float32(row[key]) for key in ("x1", "y1", "x2", "y2")] == box.tolist()


def test_a_name_that_is_a_formula_is_none_in_a_spreadsheet(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", SOME, file_name="=1+1.tiff")
    rows = list(csv.DictReader((tmp_path / "a.csv").open(newline="")))
    assert {row["file_name"] for row in rows} == {"'=1+1.tiff"}
    assert rows[1]["x1"] == "-14.75", "numbers stay numbers"


def test_csv_without_detections_has_its_header(tmp_path: Path) -> None:
    write_csv(tmp_path / "001.csv", NOTHING, file_name="001.tiff")
    assert (tmp_path / "001.csv").read_bytes() == b"file_name,x1,y1,x2,y2,x,y,label,score\n"


def test_a_file_that_cannot_be_written_is_an_error_and_keeps_the_old_one(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "001.csv"
    path.write_text("old")

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DetectionsError, match=r"001\.csv cannot be written: the disk is full"):
        write_csv(path, SOME, file_name="001.tiff")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["001.csv"]


def test_csv_tells_the_kinds_of_figures_where_they_are_known(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", SOME, file_name="a.tiff", atypical=TOLD)
    rows = list(csv.DictReader((tmp_path / "a.csv").open(newline="")))
    assert list(rows[0])[-3:] == ["score", "kind", "atypical_probability"]
    assert [(row["kind"], row["atypical_probability"]) for row in rows] == [
        *(("", ""), ("normal", "0.25"), ("atypical", "0.75"), ("", ""))
    ]
