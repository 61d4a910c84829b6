"""The files of an image are named as the image, stay in their folder, and are found again."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.formats.file_names import key_of, parts_of, stem_of


@pytest.mark.parametrize(
    ("file_name", "stem"),
    [
        ("001.tiff", "001"),
        ("01/01.tif", "01/01"),
        ("images/001.tiff", "001"),
        ("images/01/01.tif", "01/01"),
        ("slide.coco.tiff", "slide.coco"),
        ("/home/x/001.tiff", "001"),
        ("../../etc/001.tiff", "001"),
        ("./a/./001.tiff", "a/001"),
        (".midog-infer.tiff", "midog-infer"),
        (".hidden/001.tiff", "hidden/001"),
        ("...", "_"),
        ("", "_"),
    ],
)
def test_the_name_of_the_files(file_name, stem) -> None:
    assert stem_of(file_name) == stem


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_name_leads_out_of_the_folder_or_hides(file_name) -> None:
    parts = PurePosixPath(stem_of(file_name)).parts
    assert parts
    assert not any(part.startswith((".", "/")) for part in parts)
    assert parts_of(file_name)


def test_accents_are_compared_as_one_letter() -> None:
    assert key_of("a\u0308.tiff") == key_of("\u00e4.tiff")
