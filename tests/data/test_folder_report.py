"""The report of a data folder: densities, totals and text."""

from __future__ import annotations

import math

import pytest

from midog.data.folder_report import FolderReport, GroupCount

TRAIN = GroupCount("A", "train", 2, 10, 5, 4.0)
UNLABELLED = GroupCount("B", "unlabelled", 1, 0, 0, 2.0)
UNKNOWN = GroupCount("", "", 1, 3, 0, math.nan)


def test_a_density_needs_an_area_and_labels():
    assert TRAIN.figures_per_mm2 == pytest.approx(2.5)
    assert math.isnan(UNLABELLED.figures_per_mm2)
    assert math.isnan(UNKNOWN.figures_per_mm2)


def test_several_groups_have_a_total_and_what_is_unknown_is_a_dash():
    report = FolderReport("a.json", (TRAIN, UNLABELLED), (), ())
    assert report.lines() == [
        ["A", "train", "2", "10", "5", "4.00", "2.5"],
        ["B", "unlabelled", "1", "0", "0", "2.00", "-"],
        ["all", "-", "3", "10", "5", "6.00", "-"],
    ]
    assert FolderReport("", (UNKNOWN,), (), ()).lines() == [["-", "-", "1", "3", "0", "-", "-"]]
    assert len(report.header()) == 7


def test_a_roi_type_has_a_column_and_so_have_rois_without_figures():
    random = GroupCount("A", "test", 3, 0, 0, 1.0, "random", 3)
    report = FolderReport("a.json", (TRAIN, random), (), ())
    assert report.header()[:5] == ["scanner", "roi_type", "split", "ROIs", "without figures"]
    assert report.lines() == [
        ["A", "-", "train", "2", "0", "10", "5", "4.00", "2.5"],
        ["A", "random", "test", "3", "3", "0", "0", "1.00", "0.0"],
        ["all", "-", "-", "5", "3", "10", "5", "5.00", "-"],
    ]
