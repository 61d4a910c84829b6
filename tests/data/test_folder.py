"""A data folder read: joined with its split, located, and what is missing or wrong."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog import read_rois as exported
from midog.boxes import Boxes
from midog.data.folder import data_fingerprint, read_rois, require_images, select_rois
from midog.data.roi import Roi
from midog.errors import DataError

HEADER = "file_name,scanner,patient,split"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """001 and 002 of scanner A (train, test), 003 and 004 of B, unlabelled; images of all but 002
    (not real ones)."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    names = [f"{number:03d}.tiff" for number in (1, 2, 3, 4)]
    tree = {
        "images": [
            {"id": n, "file_name": name, "width": 900, "height": 900}
            for n, name in enumerate(names, 1)
        ],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "imposter"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [500, 400, 550, 450]},
            {"id": 2, "image_id": 2, "category_id": 2, "bbox": [600, 400, 650, 450]},
        ],
    }
    (folder / "MIDOG.json").write_text(json.dumps(tree))
    write_split(
        folder,
        "001.tiff,A,p1,train",
        "002.tiff,A,p2,test",
        "003.tiff,B,p3,unlabelled",
        "004.tiff,B,p4,unlabelled",
    )
    for name in ("001.tiff", "003.tiff", "004.tiff"):
        (folder / "images" / name).touch()
    return folder


def write_split(folder: Path, *lines: str, name: str = "split.csv", header: str = HEADER) -> Path:
    (folder / name).write_text("\n".join([header, *lines]) + "\n")
    return folder / name


def test_a_folder_is_joined(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        rois = exported(data)
    assert [(roi.file_name, roi.scanner, roi.patient, roi.split) for roi in rois] == [
        ("001.tiff", "A", "p1", "train"),
        ("002.tiff", "A", "p2", "test"),
        ("003.tiff", "B", "p3", "unlabelled"),
        ("004.tiff", "B", "p4", "unlabelled"),
    ]
    assert [roi.path for roi in rois[:2]] == [data / "images" / "001.tiff", None]
    assert rois[0].boxes.xyxy.tolist() == [[500, 400, 550, 450]]
    assert caplog.messages == [
        "MIDOG.json: MIDOG JSON, boxes as x1 y1 x2 y2, 4 images, 1 mitotic figures, 1 imposters",
    ]


def test_the_composite_set_is_read(composite: Path) -> None:
    rois = read_rois(composite)
    assert len(rois) == 61
    assert sorted({roi.scanner for roi in rois}) == [
        "Aperio CS2",
        "Aperio XT",
        "Hamamatsu S360",
        "Hamamatsu XR",
    ]
    assert len(select_rois(rois, "train")) == 30
    assert len(select_rois(rois, "all")) == 57
    require_images(rois)


def test_a_folder_without_split_and_an_annotation_file_alone_have_no_roles(data: Path) -> None:
    assert {roi.split for roi in read_rois(data / "MIDOG.json")} == {""}
    assert read_rois(data / "MIDOG.json")[0].path == data / "images" / "001.tiff"
    (data / "split.csv").unlink()
    assert {roi.split for roi in read_rois(data)} == {""}
    assert len(select_rois(read_rois(data), "all")) == 4


def test_images_may_lie_in_the_folder_itself_and_names_may_have_folders(data: Path) -> None:
    (data / "images" / "001.tiff").rename(data / "001.tiff")
    assert read_rois(data)[0].path == data / "001.tiff"
    text = (data / "MIDOG.json").read_text().replace('"003.tiff"', '"scans/b/003.tiff"')
    (data / "MIDOG.json").write_text(text)
    roi = read_rois(data)[2]
    assert (roi.file_name, roi.path, roi.split) == (
        "scans/b/003.tiff",
        data / "images" / "003.tiff",
        "unlabelled",
    )


def test_another_split_may_be_named(data: Path) -> None:
    other = write_split(data, "001.tiff,A,p1,val,0.25", name="other.csv", header=HEADER + ",mpp")
    rois = read_rois(data, split=other)
    assert [(roi.file_name, roi.split, roi.mpp) for roi in rois] == [("001.tiff", "val", 0.25)]


def test_rois_outside_the_split_are_left_out_with_a_warning(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_split(data, "001.tiff,A,p1,train")
    assert len(read_rois(data)) == 1
    assert "3 ROIs are not in" in caplog.text
    assert "002.tiff to 004.tiff" in caplog.text


def test_unlabelled_rois_that_only_the_split_knows_are_added(data: Path) -> None:
    write_split(data, "001.tiff,A,p1,train", "x.tiff,C,p9,unlabelled")
    assert [(roi.file_name, roi.split) for roi in read_rois(data)] == [
        ("001.tiff", "train"),
        ("x.tiff", "unlabelled"),
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["001.tiff,A,p1,train", "007.tiff,A,p7,train"],
            r"ROIs that the annotation file lacks: 007.tiff",
        ),
        (
            ["001.tiff,A,p1,train", "003.tiff,B,p3,train", "004.tiff,B,p4,train"],
            r"puts 2 unlabelled ROIs into train: 003.tiff, 004.tiff",
        ),
        (
            ["001.tiff,A,p1,train", "002.tiff,A,p1,test"],
            r"patient p1 is in train \(001.tiff\) and in test \(002.tiff\)",
        ),
    ],
)
def test_a_split_that_cannot_be_used(data: Path, lines: list[str], said: str) -> None:
    write_split(data, *lines)
    with pytest.raises(DataError, match=said):
        read_rois(data)


def test_no_folder_and_a_wrong_folder_say_how_to_get_data(tmp_path: Path) -> None:
    how = r"download with `midog data download midog21 .*` or draw with `midog data draw .*`"
    with pytest.raises(DataError, match=r"there is no data folder .*no; " + how):
        read_rois(tmp_path / "no")
    with pytest.raises(DataError, match=r"no annotation file in .*; " + how):
        read_rois(tmp_path)


def test_of_several_annotation_files_one_must_be_named(data: Path) -> None:
    (data / "points.csv").write_text("file_name,x,y\n001.tiff,3,4\n")
    (data / "slides.csv").write_text("file_name,scanner\n001.tiff,A\n")
    with pytest.raises(
        DataError,
        match=r"has 2 annotation files: MIDOG.json, points.csv; choose one with data.annotations",
    ):
        read_rois(data)
    write_split(data, "001.tiff,A,p1,train")
    assert read_rois(data, annotations=data / "points.csv")[0].boxes.xyxy.tolist() == [
        [-22, -21, 28, 29]
    ]
    with pytest.raises(DataError, match=r"there is no annotation file .*no.csv"):
        read_rois(data, annotations=data / "no.csv")


def test_missing_images_are_an_error_only_where_they_are_needed(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "images" / "003.tiff").unlink()
    rois = read_rois(data)
    with pytest.raises(DataError, match=r"1 of 4 images are missing: 002.tiff"):
        require_images(rois)
    require_images([roi for roi in rois if roi.split != "test"])
    assert "1 images of unlabelled ROIs are missing: 003.tiff" in caplog.text


def test_rois_of_one_part(data: Path) -> None:
    rois = read_rois(data)
    assert [roi.file_name for roi in select_rois(rois, "test")] == ["002.tiff"]
    assert [roi.file_name for roi in select_rois(rois, "all")] == ["001.tiff", "002.tiff"]
    with pytest.raises(DataError, match=r"no ROI is in val, only in test, train, unlabelled"):
        select_rois(rois, "val")
    with pytest.raises(
        DataError, match=r"'tset' is no part of a split; write train, val, test, unlabelled or all"
    ):
        select_rois(rois, "tset")


def test_the_fingerprint_knows_the_data_and_not_where_they_are(data: Path) -> None:
    rois = read_rois(data)
    fingerprint = data_fingerprint(rois)
    assert len(fingerprint) == 16
    assert data_fingerprint(rois[::-1]) == fingerprint
    assert data_fingerprint([replace(roi, path=None) for roi in rois]) == fingerprint
    moved = Boxes(rois[0].boxes.xyxy + np.float32(1), rois[0].boxes.labels)
    relabelled = Boxes(rois[0].boxes.xyxy, [2])  # type: ignore[arg-type]
    changed = [
        replace(rois[0], boxes=moved),
        replace(rois[0], boxes=relabelled),
        replace(rois[0], split="val"),
        replace(rois[0], width=901),
        replace(rois[0], file_name="005.tiff"),
        replace(rois[0], mpp=0.5),
        replace(rois[0], columns={"roi_type": "hotspot"}),
        replace(rois[0], columns={"roi_type": "random"}),
    ]
    prints = {data_fingerprint([changed_roi, *rois[1:]]) for changed_roi in changed} | {
        fingerprint,
        data_fingerprint(rois[1:]),
    }
    assert len(prints) == len(changed) + 2
    assert data_fingerprint([]) == data_fingerprint([])


def test_rois_need_no_images_to_be_told_apart() -> None:
    assert data_fingerprint([Roi("a.png")]) != data_fingerprint([Roi("b.png")])


def test_quiet_reading_says_nothing_of_what_it_leaves_out(phantom, tmp_path, caplog):
    lines = (phantom / "split.csv").read_text().splitlines()
    (tmp_path / "fewer.csv").write_text("\n".join(lines[:3]))
    caplog.set_level("INFO")
    assert len(read_rois(phantom, split=tmp_path / "fewer.csv", quiet=True)) == 2
    assert not caplog.records
    read_rois(phantom, split=tmp_path / "fewer.csv")
    assert "are left out" in caplog.text
