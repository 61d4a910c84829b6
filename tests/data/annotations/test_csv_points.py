"""CSV of points: squares of MIDOG's size around them."""

from __future__ import annotations

from pathlib import Path

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.read import read_annotations
from tests.data.annotations.files import write


def test_csv_points_become_squares_of_50_px(tmp_path: Path) -> None:
    text = (
        "\ufefffile_name, x ,y,label\n2.png,100,200.5,mitotic"
        " figure\n1.png,30,40,2\n2.png,7,8,imposter\n3.png,,,\n"
    )
    read = read_annotations(write(tmp_path, text, "a.csv"))
    assert read.describe() == (
        "a.csv: CSV points, points as squares of 12.5 um, 3 images, 1 mitotic figures, 2 imposters"
    )
    assert [roi.file_name for roi in read.rois] == ["2.png", "1.png", "3.png"]
    assert read.rois[0].boxes.xyxy.tolist() == [[75, 175.5, 125, 225.5], [-18, -17, 32, 33]]
    assert read.rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE, IMPOSTER]
    assert len(read.rois[2].boxes) == 0
