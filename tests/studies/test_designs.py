"""The designs: what each part trains on, and what of the others it keeps away."""

from __future__ import annotations

import pytest

from midog.boxes import MITOTIC_FIGURE, Boxes
from midog.data.roi import Roi
from midog.errors import DataError
from midog.studies.designs import DESIGNS, Part, slugs_of


def roi(scanner: str, role: str, number: int = 0) -> Roi:
    name = f"{scanner}_{role}_{number}.tiff"
    boxes = Boxes([[10, 10, 60, 60]], [MITOTIC_FIGURE])
    return Roi(name, 900, 900, boxes, scanner=scanner, patient=name, split=role)


ROIS = [roi(scanner, role) for scanner in "ABC" for role in ("train", "val", "test")]
FEW = [roi("X", "train"), roi("X", "test")]
"""Of a scanner without val."""


def of_role(part: Part, role: str) -> list[str]:
    return sorted(row.scanner for row in part.split.rows if row.split == role)


def test_all_together_is_one_part_of_all_rois():
    (part,) = DESIGNS["all"].plan([*ROIS, *FEW], 0)
    assert (part.name, part.train_on) == ("all", ("A", "B", "C", "X"))
    assert len(part.split.rows) == len(ROIS) + 2


def test_each_scanner_is_left_out_of_train_and_val_once_and_stays_in_test():
    parts = DESIGNS["leave-one-out"].plan(ROIS, 0)
    assert [(part.name, "".join(part.train_on)) for part in parts] == [
        ("without_a", "BC"),
        ("without_b", "AC"),
        ("without_c", "AB"),
    ]
    for part in parts:
        assert of_role(part, "train") == of_role(part, "val") == sorted(part.train_on)
        assert of_role(part, "test") == ["A", "B", "C"]


def test_few_rois_of_a_scanner_without_val_help_wherever_another_is_left_out(caplog):
    parts = DESIGNS["leave-one-out"].plan([*ROIS, *FEW], 0)
    assert ["".join(part.train_on) for part in parts] == ["BCX", "ACX", "ABX"]
    assert all("X" in of_role(part, "train") for part in parts)
    assert caplog.messages == ["X has no ROI in val: no model is trained on it alone"]


def test_a_single_scanner_is_trained_on_alone():
    parts = DESIGNS["single"].plan(ROIS, 0)
    assert [(part.name, part.train_on) for part in parts] == [
        ("only_a", ("A",)),
        ("only_b", ("B",)),
        ("only_c", ("C",)),
    ]


def test_every_roi_is_in_test_in_one_fold():
    rois = [roi(scanner, "train", number) for scanner in "AB" for number in range(6)]
    parts = DESIGNS["folds"].plan(rois, 3)
    assert [part.name for part in parts] == ["fold1of3", "fold2of3", "fold3of3"]
    tested = [row.file_name for part in parts for row in part.split.rows if row.split == "test"]
    assert sorted(tested) == sorted(one.file_name for one in rois)


@pytest.mark.parametrize("design", ["single", "leave-one-out"])
def test_one_scanner_cannot_be_left_out(design):
    with pytest.raises(DataError, match="a shift between scanners needs two"):
        DESIGNS[design].plan([roi("A", role) for role in ("train", "val", "test")], 0)


def test_scanners_that_read_alike_get_numbers():
    assert slugs_of(["CS2", "cs2", "É"]) == {"CS2": "cs2", "cs2": "cs2_2", "É": "unknown"}
