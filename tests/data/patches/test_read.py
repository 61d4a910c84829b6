"""Which layout a folder of patches has."""

from __future__ import annotations

import pytest

from midog.data.patches.folders import Folders
from midog.data.patches.read import read_patches
from midog.errors import DataError
from tests.drawn_patches import write_folders, write_hdf5


def test_hdf5_files_come_before_class_folders(tmp_path):
    write_folders(write_hdf5(tmp_path / "d") / "f")
    data = read_patches(tmp_path / "d", "spots", Folders())
    assert data.of("train").side == 32
    assert data.classes == ("0", "1")


def test_another_stem_is_named(tmp_path):
    write_hdf5(tmp_path)
    with pytest.raises(DataError, match=r"it has spots; name the data set with task\.stem=spots"):
        read_patches(tmp_path, "camelyonpatch_level_2", Folders())


def test_class_folders_are_read_where_there_is_no_hdf5(tmp_path):
    data = read_patches(write_folders(tmp_path), "spots", Folders(slide_pattern="^([0-9]+)_"))
    assert data.classes == ("green", "purple")


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere.*data\.dir"):
        read_patches(tmp_path / "nowhere", "spots", Folders())
