"""Text in any encoding, and names that look alike."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from midog.data.text_file import (
    LARGEST_TEXT_MB,
    file_name_in,
    raise_problems,
    read_text,
    wrong_name,
)
from midog.errors import DataError

TEXT = "file_name,x,y,remark\nPräparat.tiff,1,2,größer\n"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("latin-1", "Windows-1252 (Latin-1), as it is not UTF-8"),
    ],
)
def test_every_encoding_is_read_and_all_but_utf8_noted(
    tmp_path: Path, encoding: str, words: str | None
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode(encoding))
    read = read_text(path)
    assert read.text == TEXT
    assert read.notes == ((f"a.csv: read as {words}",) if words else ())


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.csv cannot be read: No such file"):
        read_text(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"not a regular file|Is a directory"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"II*\x00\xff\xfe\xfd", "is not a text file"),
        (b"\xff\xfe\xfd", "is not a text file"),
        (b"x,y\n\x01\x02,3\n", "is not a text file"),
        (b"x,y\na\x00b,3\n", "holds NUL characters"),
    ],
)
def test_what_is_no_text(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "a.csv").write_bytes(raw)
    with pytest.raises(DataError, match=said):
        read_text(tmp_path / "a.csv")


def test_a_file_over_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(LARGEST_TEXT_MB * 2**20 + 1)  # sparse
    with pytest.raises(DataError, match=r"at most 134,217,728 are read"):
        read_text(tmp_path / "a.csv")


def test_the_first_problem_is_raised_and_the_others_counted() -> None:
    raise_problems([])
    with pytest.raises(DataError, match=r"^line 1 is wrong; mend it$"):
        raise_problems([DataError("line 1 is wrong", "mend it")])
    with pytest.raises(DataError, match=r"^line 1 is wrong \(and 2 more, .*\); mend it$"):
        raise_problems([DataError("line 1 is wrong", "mend it"), DataError("b"), DataError("c")])


def test_names_that_look_alike_are_one() -> None:
    name = "Präparat 1.tiff"
    assert unicodedata.normalize("NFD", name) != name
    assert file_name_in(unicodedata.normalize("NFD", name)) == name
    assert file_name_in(" C:\\data\\a.tiff ") == "/data/a.tiff"
    assert file_name_in("././s1/a.tiff") == "s1/a.tiff"
    assert file_name_in(".hidden/a.tiff") == ".hidden/a.tiff"


@pytest.mark.parametrize("name", ["", " ", "./", "a\x1b[2J.tiff", "a\nb", "\ud800", "x" * 1025])
def test_names_that_no_file_has(name: str) -> None:
    assert wrong_name(name)


def test_a_name_of_any_script_is_a_name() -> None:
    assert not wrong_name("切片 1 (2).tiff")
