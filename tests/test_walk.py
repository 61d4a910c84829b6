"""Folders are listed once, in order, and not without end."""

from __future__ import annotations

import pytest

from midog import walk
from midog.errors import DataError
from midog.walk import files_below


def test_files_come_before_those_of_folders_below_and_hidden_ones_do_not(tmp_path):
    for name in ("b/2", "b/1", "a/1", "2", "1", ".hidden", ".folder/1", "b/.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)]
    assert names == ["1", "2", "a/1", "b/1", "b/2"]


def test_links_are_followed_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1").touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    names = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)]
    assert names == ["gone", "a/1"]


def test_more_than_can_be_meant_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(walk, "_MOST", 3)
    for name in ("1", "2", "3"):
        (tmp_path / name).touch()
    assert len(list(files_below(tmp_path, DataError))) == 3
    (tmp_path / "4").touch()
    with pytest.raises(DataError, match="holds more than 3 files and folders; give the folder"):
        list(files_below(tmp_path, DataError))
