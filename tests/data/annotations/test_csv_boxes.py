"""CSV of boxes: corners as written."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.boxes import MITOTIC_FIGURE
from midog.data.annotations.read import read_annotations
from midog.errors import DataError
from tests.data.annotations.files import write


def test_csv_boxes_without_labels_are_mitotic_figures(tmp_path: Path) -> None:
    read = read_annotations(write(tmp_path, "file_name,x1,y1,x2,y2\n1.png,10,20,30,50\n", "a.csv"))
    assert (read.kind, read.how) == ("CSV boxes", "boxes as x1 y1 x2 y2")
    assert read.rois[0].boxes.xyxy.tolist() == [[10, 20, 30, 50]]
    assert read.rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE]


def test_bbox_that_contradicts_the_header_of_a_csv(tmp_path: Path) -> None:
    path = write(tmp_path, "file_name,x1,y1,x2,y2\n1.png,10,20,30,50\n", "a.csv")
    with pytest.raises(DataError, match=r"data\.bbox"):
        read_annotations(path, bbox="xywh")
