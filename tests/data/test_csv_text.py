"""Tables as people write them: separators, bounds, and every wrong line by its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.data.csv_text import (
    header_of,
    number_fix,
    number_in,
    read_table,
    spreadsheet_cell,
    text_of_cell,
)
from midog.errors import DataError

PATH = Path("a.csv")


def test_lines_keep_their_number_and_every_column_has_a_cell() -> None:
    table = read_table(PATH, 'File_Name, x\n"b\nc",1\n\nd\ne,2,\n')
    assert table.header == ("File_Name", "x")
    assert table.lines == (
        ("a.csv line 3", {"File_Name": "b\nc", "x": "1"}),
        ("a.csv line 5", {"File_Name": "d", "x": ""}),
        ("a.csv line 6", {"File_Name": "e", "x": "2"}),
    )
    assert (table.problems, table.notes) == ((), ())


def test_blank_lines_before_the_header_are_passed_over() -> None:
    table = read_table(PATH, "\n , \nfile_name,x\na.tiff,1\n")
    assert table.header == ("file_name", "x")
    assert table.lines[0][0] == "a.csv line 4"
    assert header_of("\n\nfile_name,x\n") == ["file_name", "x"]


def test_an_empty_table() -> None:
    assert read_table(PATH, "").header == read_table(PATH, "").lines == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x\n" + "1" * 200_000, r"a.csv line 2 is not CSV"),
        ('x,y\n1,"2\n3,4\n', r"line 3 is not CSV: unexpected end of data"),
        ('x,y\n"1"2,3\n', r"line 2 is not CSV: .* expected after"),
        ("x,X\n1,2\n", r"line 1 has columns x and X: which of them counts is not clear"),
        ("x,y,x\n1,2,3\n", r"line 1 has twice a column x"),
        (",".join(f"c{n}" for n in range(300)), r"a.csv has 300 columns; write at most 256"),
    ],
)
def test_what_is_no_table_is_an_error(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_table(PATH, text)


def test_a_table_of_too_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midog.data.csv_text.MOST_LINES", 3)
    assert len(read_table(PATH, "x\n1\n2\n3\n").lines) == 3
    with pytest.raises(DataError, match=r"a.csv has over 3 lines; split it"):
        read_table(PATH, "x\n1\n2\n3\n4\n")


def test_more_cells_than_names_are_a_problem_of_their_line() -> None:
    table = read_table(PATH, "file_name,x,y\na.tiff,1,2\na.tiff,100,5,120,25\nb.tiff,3,4,,\n")
    assert [cells["x"] for _, cells in table.lines] == ["1", "3"]
    (problem,) = table.problems
    assert str(problem).startswith("a.csv line 3 has 5 cells for 3 columns: a.tiff,100,5,120,25; ")
    assert "decimal point" in str(problem)


def test_an_unnamed_column_has_its_number_for_a_name() -> None:
    table = read_table(PATH, ",x,,\n0,5,,\n")
    assert table.header == ("column 1", "x")
    assert table.lines[0][1] == {"column 1": "0", "x": "5"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file_name;x;y\na.tiff;1;2\n", "semicolons"),
        ("file_name\tx\ty\na.tiff\t1\t2\n", "tabs"),
        ("file_name|x|y\na.tiff|1|2\n", "bars"),
        ('"a,b";file_name;x;y\n1;a.tiff;1;2\n', "semicolons"),
        ("sep=;\nfile_name;x;y\na.tiff;1;2\n", "semicolons"),
    ],
)
def test_the_header_shows_what_separates_cells(text: str, words: str) -> None:
    table = read_table(PATH, text)
    cells = table.lines[0][1]
    assert (cells["file_name"], cells["x"], cells["y"]) == ("a.tiff", "1", "2")
    assert table.notes == (f"a.csv: cells separated by {words}",)
    assert header_of(text) == list(table.header)


@pytest.mark.parametrize("text", ["", "\n", '"' + "b\n" * 9, "a" * 200_000])
def test_any_text_has_a_header(text: str) -> None:
    assert isinstance(header_of(text), list)


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), ("-2.5", -2.5), ("+.5", 0.5), ("7.", 7), ("1e3", 1000), ("2.5E-1", 0.25)],
)
def test_numbers(text: str, number: float) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "1_000", "0,5", "0x10", "１２", " 3", "3 px", "1" * 31, "1e9999"]
)
def test_what_is_no_number(text: str) -> None:
    assert number_in(text) is None


def test_a_decimal_comma_is_told_apart() -> None:
    assert "decimal point" in number_fix("100,5")
    assert number_fix("four") == "write a number"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_begins_as_a_formula_has_a_quote_in_front(start) -> None:
    text = f"{start}cmd|'/c calc'!A1"
    assert spreadsheet_cell(text) == f"'{text}"


def test_other_texts_stay_and_bytes_that_are_no_text_are_escaped() -> None:
    for text in ("", "001.tiff", "a=b", "'=x", "\u00e4"):
        assert spreadsheet_cell(text) == text
    assert spreadsheet_cell("a\udcff") == "a\\udcff"


@given(st.text(max_size=8))
def test_what_was_quoted_is_read_back(text) -> None:
    if not text.startswith("'"):
        assert text_of_cell(spreadsheet_cell(text)) == text


@pytest.mark.parametrize("cell", ["", "'", "'a", "''", "'001.tiff"])
def test_a_quote_that_stands_before_no_formula_stays(cell) -> None:
    assert text_of_cell(cell) == cell
