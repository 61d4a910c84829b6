"""The file that readers are asked about: its form, without reading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.annotations.reader import AnnotationFile


@pytest.mark.parametrize(
    ("name", "text", "is_json"),
    [
        ("a.json", "", True),
        ("a.txt", ' {"a": 1}', True),
        ("a", "[]", True),
        ("a.csv", "x,y", False),
    ],
)
def test_json_is_told_by_ending_or_first_character(name: str, text: str, is_json: bool) -> None:
    assert AnnotationFile(Path(name), text).is_json() == is_json


@pytest.mark.parametrize(
    "text", ["File_Name, x ,Y\r\n1,2,3\n", 'file_name,"x",y', "file_name,x,y\n"]
)
def test_the_header_is_in_lower_case_without_spaces(text: str) -> None:
    assert AnnotationFile(Path("a.csv"), text).header() == {"file_name", "x", "y"}


@pytest.mark.parametrize("text", ["", "\n", "a" * 200_000, '"' + "b\n" * 9])
def test_any_text_has_a_header_and_a_first_line(text: str) -> None:
    file = AnnotationFile(Path("a.csv"), text)
    assert isinstance(file.header(), set)
    assert "\n" not in file.first_line()
