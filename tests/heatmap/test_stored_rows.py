"""Rows of a map on the disk: whole, or not done."""

from __future__ import annotations

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.heatmap.stored_rows import StoredRows

VALUES = np.array([[0.1, np.nan, 1], [0, 0.5, 0.25]], np.float32)


def test_what_is_stored_comes_back_and_nothing_else(tmp_path):
    rows = StoredRows(tmp_path / "a", "key")
    assert rows.load(0, (2, 3)) is None
    rows.save(20, VALUES)
    again = StoredRows(tmp_path / "a", "key")
    assert np.array_equal(again.load(20, (2, 3)), VALUES, equal_nan=True)
    assert again.load(0, (2, 3)) is None
    assert again.load(20, (3, 3)) is None
    assert StoredRows(tmp_path / "a", "another key").load(20, (2, 3)) is None


@pytest.mark.parametrize("damage", [lambda old: old[:-1], lambda old: old[:30] + b"x" + old[31:]])
def test_a_damaged_file_counts_as_not_done(tmp_path, damage):
    rows = StoredRows(tmp_path / "a", "key")
    rows.save(0, VALUES)
    (path,) = (tmp_path / "a").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert rows.load(0, (2, 3)) is None


def test_a_file_of_other_rows_counts_as_not_done(tmp_path):
    rows = StoredRows(tmp_path / "a", "key")
    rows.save(0, VALUES)
    (path,) = (tmp_path / "a").iterdir()
    path.rename(path.with_name("rows-0000020"))
    assert rows.load(20, (2, 3)) is None


def test_all_is_deleted_in_the_end(tmp_path):
    rows = StoredRows(tmp_path / "above" / "a", "key")
    rows.save(0, VALUES)
    rows.delete()
    assert not (tmp_path / "above" / "a").exists()
    rows.delete()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DetectionsError, match="cannot be written"):
        StoredRows(tmp_path / "file" / "a", "key").save(0, VALUES)
