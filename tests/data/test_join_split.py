"""A split and its ROIs: rows attached, unlabelled ROIs found, and what is wrong with the two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from midog.boxes import Boxes
from midog.data.annotations.read import read_annotations
from midog.data.join_split import attach_split, contradictions, find_unlabelled
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, read_split
from tests.data.cohorts import check_split, roi, rows_of


@pytest.mark.parametrize("file", ["MIDOG.json", "MIDOGpp.json"])
@pytest.mark.parametrize("scanner", ["Leica GT450", "Hamamatsu XR"])
def test_midogs_unlabelled_rois_in_train_are_an_error_under_any_scanner(
    shared: Path, file: str, scanner: str
) -> None:
    rois = read_annotations(shared / "data" / "annotations" / file).rois
    split = read_split("midog21" if file == "MIDOG.json" else "midogpp")
    assert check_split(split, rois) == []
    in_train = (
        replace(row, split="train", scanner=scanner) if row.split == "unlabelled" else row
        for row in split.rows
    )
    assert check_split(Split("mine.csv", tuple(in_train)), rois) == [
        "mine.csv puts 50 unlabelled ROIs into train: 151.tiff to 200.tiff; give them the split"
        " 'unlabelled', as they would count as background; where they were annotated, state it in"
        " a column `labelled` = yes"
    ]


def test_one_of_midogs_unlabelled_rois_is_enough(shared: Path) -> None:
    rois = read_annotations(shared / "data" / "annotations" / "MIDOG.json").rois
    rows = [SplitRow("001.tiff", "A", "1", "train"), SplitRow("163.tiff", "A", "163", "test")]
    assert "into test: 163.tiff;" in check_split(Split("mine.csv", tuple(rows)), rois)[0]


def test_the_composite_set_has_one_unlabelled_scanner(composite: Path) -> None:
    rois = attach_split(
        read_annotations(composite / "annotations.json").rois, read_split(composite / "split.csv")
    )
    assert find_unlabelled(rois) == {"076.tiff", "077.tiff", "078.tiff", "079.tiff"}
    assert find_unlabelled(rois) == {item.file_name for item in rois if item.split == "unlabelled"}


def test_quiet_rois_of_a_labelled_scanner_are_legal() -> None:
    rois = [roi(number, figures=number % 3, imposters=number % 3) for number in range(12)]
    assert find_unlabelled(rois) == set()
    assert check_split(rows_of(rois, "train"), rois) == []


def test_a_single_quiet_roi_of_a_scanner_proves_nothing() -> None:
    assert find_unlabelled([roi(1), roi(2, "B", figures=0, imposters=0)]) == set()


def test_a_long_row_of_quiet_rois_is_legal_where_imposters_are_not_listed() -> None:
    rois = [roi(1, imposters=0), *(roi(number, figures=0, imposters=0) for number in range(2, 30))]
    assert find_unlabelled(rois) == set()


def test_files_without_any_box_prove_nothing() -> None:
    assert find_unlabelled([roi(number, figures=0, imposters=0) for number in range(20)]) == set()


def test_a_column_labelled_overrules() -> None:
    quiet = [
        replace(roi(number, "B", figures=0, imposters=0), columns={"labelled": "yes"})
        for number in (2, 3)
    ]
    assert find_unlabelled([roi(1), *quiet]) == set()


def test_rois_without_annotation_are_named_unless_unlabelled() -> None:
    rois = [roi(1)]
    rows = [SplitRow(f"{number:03d}.tiff", "A", str(number), "val") for number in (1, 2, 3, 4)]
    lines = check_split(
        Split("mine.csv", (*rows, SplitRow("9.tiff", "B", "9", "unlabelled"))), rois
    )
    assert lines == [
        "mine.csv lists ROIs that the annotation file lacks: 002.tiff to 004.tiff; "
        "remove them from the split, or give them the split 'unlabelled'; where they hold no"
        " figure, state it in a column `figure_free` = yes"
    ]


def test_rois_declared_free_of_figures_need_neither_boxes_nor_annotation() -> None:
    rows = (
        SplitRow("001.tiff", "A", "1", "train"),
        *(
            SplitRow(f"{number}.tiff", "B", f"{number}", role, columns={"figure_free": "yes"})
            for number, role in ((7, "train"), (8, "val"), (9, "test"))
        ),
    )
    split = Split("mine.csv", rows)
    assert check_split(split, [roi(1)]) == []
    joined = attach_split([roi(1)], split)
    assert [(item.file_name, item.split, len(item.boxes)) for item in joined[1:]] == [
        ("7.tiff", "train", 0),
        ("8.tiff", "val", 0),
        ("9.tiff", "test", 0),
    ]
    assert find_unlabelled(joined) == set(), "though scanner B has no box on any"
    undeclared = [replace(item, columns={"roi_type": "random"}) for item in joined]
    assert find_unlabelled(undeclared) == {"7.tiff", "8.tiff", "9.tiff"}, "a type declares nothing"


def test_all_problems_are_told_at_once() -> None:
    rows = (
        SplitRow("001.tiff", "A", "p", "train"),
        SplitRow("001.tiff", "A", "p", "test"),
        SplitRow("2.tiff", "A", "q", "val"),
    )
    assert len(check_split(Split("mine.csv", rows), [roi(1)])) == 3


def test_rois_take_what_their_rows_say() -> None:
    rois = [replace(roi(1), columns={"tumour": "a", "grade": "2"}, mpp=0.5), roi(2)]
    row = SplitRow("images/001.tiff", "X", "p", "train", 0.25, {"tumour": "b"})
    first, second, third = attach_split(
        rois, Split("s", (row, SplitRow("9.tiff", "Y", "q", "unlabelled")))
    )
    assert (first.scanner, first.patient, first.split, first.mpp) == ("X", "p", "train", 0.25)
    assert first.columns == {"tumour": "b", "grade": "2"}
    assert second.split == ""
    assert (third.file_name, third.split, len(third.boxes)) == ("9.tiff", "unlabelled", 0)


def test_where_a_row_states_no_patient_or_scanner_the_annotations_is_used() -> None:
    rois = [replace(roi(number), scanner="A", patient=f"P{number}") for number in (1, 2, 3)]
    rows = (
        SplitRow("001.tiff", "unknown", "001", "train"),
        SplitRow("002.tiff", "B", "002.tiff", "val"),
        SplitRow("003.tiff", "B", "Q3", "test"),
    )
    joined = attach_split(rois, Split("s", rows))
    assert [(item.scanner, item.patient) for item in joined] == [
        ("A", "P1"),
        ("B", "P2"),
        ("B", "Q3"),
    ]
    assert contradictions(rois, Split("s", rows)) == [
        "s and the annotation file state other patients of 1 ROIs (Q3 and P3 in the first); those"
        " of the split are used: 003.tiff",
        "s and the annotation file state other scanners of 2 ROIs (B and A in the first); those of"
        " the split are used: 002.tiff, 003.tiff",
    ]


def test_another_mpp_in_split_and_annotations_is_said() -> None:
    rois = [replace(roi(1), mpp=0.5), replace(roi(2), mpp=0.25)]
    rows = tuple(SplitRow(item.file_name, "A", "p", "train", 0.25) for item in rois)
    (line,) = contradictions(rois, Split("s", rows))
    assert "other um per pixel of 1 ROIs (0.25 and 0.5 in the first)" in line


def test_a_patient_whom_only_the_annotations_name_is_not_cut_either() -> None:
    rois = [replace(roi(number), patient="P") for number in (1, 2)]
    rows = (
        SplitRow("001.tiff", "A", "001.tiff", "train"),
        SplitRow("002.tiff", "A", "002", "test"),
    )
    assert check_split(Split("mine.csv", rows), rois) == [
        "mine.csv, by the annotation file's patients: patient P is in train (001.tiff) and in test"
        " (002.tiff); keep all ROIs of a patient in one split"
    ]


def test_bare_names_do_not_match_where_two_folders_have_them() -> None:
    rois = [replace(roi(1), file_name="a/001.tiff"), replace(roi(1), file_name="b/001.tiff")]
    assert "lacks: 001.tiff" in check_split(rows_of([roi(1)], "train"), rois)[0]


def test_an_roi_listed_with_and_without_its_folder_is_an_error() -> None:
    rois = [Roi("001.tiff", boxes=Boxes([[0, 0, 50, 50]], [1]))]
    rows = (
        SplitRow("001.tiff", "A", "p1", "train"),
        SplitRow("images/001.tiff", "A", "p1", "test"),
    )
    problems = check_split(Split("mine.csv", rows), rois)
    assert any("lists ROIs twice, with and without a folder: 001.tiff" in line for line in problems)
