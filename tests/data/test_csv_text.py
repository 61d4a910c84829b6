from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.csv_text import raise_problems, read_table, read_text
from midog.errors import DataError


def test_lines_keep_their_number_and_every_column_has_a_cell() -> None:
    header, lines = read_table(Path("a.csv"), 'File_Name, x\n"b\nc",1\n\nd\ne,2,3\n')
    assert header == ["file_name", "x"]
    assert lines == [
        ("a.csv line 3", {"file_name": "b\nc", "x": "1"}),
        ("a.csv line 5", {"file_name": "d", "x": ""}),
        ("a.csv line 6", {"file_name": "e", "x": "2"}),
    ]


def test_an_empty_table() -> None:
    assert read_table(Path("a.csv"), "") == ([], [])


def test_what_is_no_table_names_the_line() -> None:
    with pytest.raises(DataError, match=r"a.csv line 2 is not CSV"):
        read_table(Path("a.csv"), "x\n" + "1" * 200_000)


def test_a_byte_order_mark_is_dropped_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfx,y\r\n1,2\r\n")
    path = tmp_path / "a.csv"
    assert read_table(path, read_text(path)) == (
        ["x", "y"],
        [(f"{path} line 2", {"x": "1", "y": "2"})],
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.csv cannot be read: No such file"):
        read_text(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
        read_text(tmp_path)


def test_the_first_problem_is_raised_and_the_others_counted() -> None:
    raise_problems([])
    with pytest.raises(DataError, match=r"^line 1 is wrong; mend it$"):
        raise_problems([DataError("line 1 is wrong", "mend it")])
    with pytest.raises(DataError, match=r"^line 1 is wrong \(and 2 more, .*\); mend it$"):
        raise_problems([DataError("line 1 is wrong", "mend it"), DataError("b"), DataError("c")])
