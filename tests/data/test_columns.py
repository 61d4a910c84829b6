"""Columns found by the field's names, and those that would be lost named."""

from __future__ import annotations

import re

import pytest

from midog.data.columns import (
    COLUMNS,
    alias_note,
    find_columns,
    looks_like,
    refuse_alike,
    refuse_doubled,
    squeeze,
    unused_note,
)
from midog.errors import DataError


@pytest.mark.parametrize(
    ("written", "squeezed"),
    [("Image Path", "imagepath"), ("um_per_px", "umperpx"), ("µm/px", "umpx"), ("x (µm)", "xum")],
)
def test_squeezed_names(written: str, squeezed: str) -> None:
    assert squeeze(written) == squeezed


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        *[(name, "file_name") for name in ("filename", "Image", "image_path", "slide", "FILE")],
        *[(name, "label") for name in ("class", "Category", "type", "cell_type")],
        *[(name, "patient") for name in ("case", "patient_id", "CaseID", "subject")],
        *[(name, "scanner") for name in ("scanner_model", "Scanner Name")],
        *[(name, "mpp") for name in ("um_per_px", "MPP", "µm/px", "microns_per_pixel")],
        ("category_id", "category_id"),
        ("iscrowd", "ignored"),
        ("role", "split"),
        ("tumor_type", "tumour"),
    ],
)
def test_a_column_is_found_by_the_fields_names(written: str, ours: str) -> None:
    assert find_columns(["other", written], COLUMNS) == {ours: written}


def test_our_own_name_comes_before_another() -> None:
    assert find_columns(["image", "file_name"], ["file_name"]) == {"file_name": "file_name"}
    assert find_columns(["case", "patient_id"], ["patient"]) == {"patient": "patient_id"}


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("is_mitotic", "label"),
        ("majority_label", "label"),
        ("ground truth", "label"),
        *[(name, "label") for name in ("target", "y_true", "is_mf", "name", "excluded", "status")],
        *[(name, "mpp") for name in ("dpi", "zoom", "level", "mm_per_px", "pixels per mm")],
        ("pid", "patient"),
        ("case_no", "patient"),
        ("patient_number", "patient"),
        ("scan_vendor", "scanner"),
        ("pixel_size", "mpp"),
        ("magnification", "mpp"),
        ("Resolution", "mpp"),
    ],
)
def test_a_column_that_looks_like_ours_is_refused(written: str, ours: str) -> None:
    with pytest.raises(
        DataError, match=rf"a.csv: its column {written!r} looks like .*; rename it to {ours} if"
    ):
        refuse_alike("a.csv", ["x", written], ["x"], ["label", "patient", "scanner", "mpp"])
    refuse_alike("a.csv", ["x", written], ["x", written], [ours])


@pytest.mark.parametrize("header", ["label,class", "Class,type", "x,category,cell_type"])
def test_two_columns_that_could_both_be_the_class_are_refused(header: str) -> None:
    columns = header.split(",")
    said = rf"columns {columns[-2]} and {columns[-1]} could both state a class .*; name the one"
    with pytest.raises(DataError, match=said):
        refuse_doubled("a.csv", columns, ["label", "mpp"])
    refuse_doubled("a.csv", ["x", "category", "category_id", "mpp"], ["label", "mpp"])


def test_plain_columns_look_like_none() -> None:
    header = ["x", "id", "annotation_id", "annotator", "remark", "date", "stain", "tumour", "grade"]
    assert looks_like(header, [], ["label", "patient", "scanner", "mpp"]) == {}


def test_names_in_use_are_unique_and_squeezed() -> None:
    spellings = [
        word
        for column in COLUMNS.values()
        for word in (squeeze(column.name), *column.aliases.split())
    ]
    assert len(spellings) == len(set(spellings))
    assert all(squeeze(word) == word for word in spellings)
    for column in COLUMNS.values():
        re.compile(column.alike)


def test_notes_name_what_is_read_otherwise_and_what_is_not() -> None:
    assert alias_note("a.csv", {"x": "X", "file_name": "File Name"}) == []
    assert alias_note("a.csv", {"x": "col", "label": "class"}) == [
        "a.csv: columns read under other names: col as x, class as label"
    ]
    assert unused_note("a.csv", ["x", "date"], ["x"]) == ["a.csv: columns not used: date"]
    many = [f"c{number}" for number in range(20)]
    assert unused_note("a.csv", many, [])[0].endswith("c11 and 8 more")
    assert unused_note("a.csv", ["x"], ["x"]) == []
