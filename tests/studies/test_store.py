"""The folder of a study, read without its data."""

from __future__ import annotations

import pytest

from midog.errors import CheckpointError, DetectionsError
from midog.studies.store import changes_of, read_result
from tests.studies.small import planned, study_of, work


def test_the_table_is_made_without_the_data(quick, phantom, tmp_path):
    work(planned(tmp_path, phantom), tmp_path, [])
    (tmp_path / "s").rename(tmp_path / "elsewhere")
    (tmp_path / "s.yaml").unlink()
    result = read_result(tmp_path / "elsewhere", resamples=5)
    assert [row.name for row in result.rows] == ["baseline", "hot"]
    assert [row.trained for row in result.rows] == [1, 1]
    assert result.tests == {
        "val": "the val ROIs of phantom",
        "test of phantom": "the test ROIs of phantom",
    }
    assert all(line.done == line.planned == 1 for line in result.lines)


def test_a_damaged_cell_is_named_and_not_taken_for_one_to_do(quick, phantom, tmp_path):
    work(planned(tmp_path, phantom), tmp_path, [])
    cell = next((tmp_path / "s" / "cells").glob("*.npz"))
    cell.write_bytes(b"half")
    with pytest.raises(DetectionsError, match=f"{cell.name} is damaged"):
        read_result(tmp_path / "s", resamples=0)


def test_a_row_states_what_it_changes(tmp_path):
    rows = {"r": {"set": {"train": {"lr": 0.5}}, "detect": {"overlap": 32}}}
    study = study_of(tmp_path, set={"train.lr": 0.1}, config="small", rows=rows)
    assert changes_of(study.rows["r"]) == ["config=small", "train.lr=0.5", "detect.overlap=32"]


def test_a_folder_that_is_no_study_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="is no study"):
        read_result(tmp_path, resamples=0)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"plan\.json.*start `midog study run` again"):
        read_result(tmp_path, resamples=0)
