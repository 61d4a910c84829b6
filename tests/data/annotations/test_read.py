"""Annotation files of any format: which reader takes a file, and what no reader takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.annotations.read import (
    has_known_suffix,
    may_hold_annotations,
    read_annotations,
    scan_annotations,
)
from midog.errors import DataError
from tests.data.annotations.files import tree_of, write


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.json cannot be read: No such file"):
        read_annotations(tmp_path / "no.json")
    (tmp_path / "image.json").write_bytes(b"II*\x00\xff\xfe\xfd")
    with pytest.raises(DataError, match="is not a text file"):
        read_annotations(tmp_path / "image.json")


def test_what_no_reader_takes_lists_the_formats(tmp_path: Path) -> None:
    path = write(tmp_path, "hello there\n", "a.txt")
    with pytest.raises(DataError, match=r"a.txt begins 'hello there' .*MIDOG or COCO JSON .*CSV"):
        read_annotations(path)


def test_a_table_of_another_ending_is_read_where_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "file_name,x,y\n1.png,3,4\n", "points.txt")
    assert read_annotations(path).kind == "CSV points"
    assert not may_hold_annotations(path)


@pytest.mark.parametrize(
    ("name", "text", "may"),
    [
        ("a.json", "{}", True),
        ("a.csv", "file_name,x,y\n", True),
        ("a.CSV", "file_name,x1,y1,x2,y2\n", True),
        ("split.csv", "file_name,scanner,patient,split\n", False),
        (".a.json", "{}", False),
        ("a.tiff", "{}", False),
    ],
)
def test_which_files_of_a_folder_may_hold_annotations(
    tmp_path: Path, name: str, text: str, may: bool
) -> None:
    path = write(tmp_path, text, name)
    assert may_hold_annotations(path) == may
    assert has_known_suffix(path) == (name != "a.tiff")
    path.unlink()
    path.mkdir()
    assert not may_hold_annotations(path)


def test_a_file_that_is_not_text_may_hold_annotations_so_that_reading_reports_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\xfd")
    assert may_hold_annotations(tmp_path / "a.json")


def test_scanning_gives_what_can_be_read_with_what_is_wrong(tmp_path: Path) -> None:
    tree = tree_of([700, 500, 750, 550], [1, 2, 3])
    content, problems = scan_annotations(write(tmp_path, tree))
    assert (len(content.rois[0].boxes), len(problems)) == (1, 1)
