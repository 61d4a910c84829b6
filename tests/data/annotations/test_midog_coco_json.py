"""MIDOG and COCO JSON: real files, which of the two a file is, and wrong records by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.read import read_annotations, scan_annotations
from midog.errors import DataError
from tests.data.annotations.files import tree_of, write


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("annotations/MIDOG.json", "200 images, 1721 mitotic figures, 2714 imposters"),
        ("annotations/MIDOGpp.json", "553 images, 11937 mitotic figures, 14349 imposters"),
        ("composite/annotations.json", "61 images, 1007 mitotic figures, 570 imposters"),
    ],
)
def test_the_published_files_read_back_with_their_counts(
    shared: Path, name: str, said: str
) -> None:
    read = read_annotations(shared / "data" / name)
    assert (read.kind, read.how) == ("MIDOG JSON", "boxes as x1 y1 x2 y2")
    assert read.describe() == f"{Path(name).name}: MIDOG JSON, boxes as x1 y1 x2 y2, {said}"
    assert all(roi.split == "" and roi.path is None for roi in read.rois)


def test_boxes_over_the_edge_are_kept_as_published(shared: Path) -> None:
    rois = read_annotations(shared / "data" / "annotations" / "MIDOGpp.json").rois
    beyond = 0
    for roi in rois:
        size = np.array([roi.width, roi.height])
        beyond += int(
            ((roi.boxes.xyxy[:, :2] < 0) | (roi.boxes.xyxy[:, 2:] > size)).any(axis=1).sum()
        )
    assert beyond == 274
    assert rois[0].columns == {"tumour": "human breast cancer"}


def test_a_coco_copy_of_midog_gives_the_same_boxes(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "annotations" / "MIDOG.json"
    tree = json.loads(source.read_text())
    for record in tree["annotations"]:
        x1, y1, x2, y2 = record["bbox"]
        record.update(bbox=[x1, y1, x2 - x1, y2 - y1], iscrowd=0, area=2500, segmentation=[])
    coco = read_annotations(write(tmp_path, tree))
    assert (coco.kind, coco.how) == ("COCO JSON", "boxes as x y width height")
    for ours, theirs in zip(coco.rois, read_annotations(source).rois, strict=True):
        np.testing.assert_array_equal(ours.boxes.xyxy, theirs.boxes.xyxy)
        np.testing.assert_array_equal(ours.boxes.labels, theirs.boxes.labels)


corners = st.tuples(st.integers(-25, 975), st.integers(-25, 775))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(corners, min_size=1, max_size=4))
def test_squares_of_50_px_are_read_back_however_few_and_however_written(
    tmp_path: Path, points: list[tuple[int, int]]
) -> None:
    assume(any(point != (0, 0) for point in points))  # 0 0 50 50 is the same box both ways
    for form, second in (("xyxy", lambda x: x + 50), ("xywh", lambda x: 50)):
        read = read_annotations(
            write(tmp_path, tree_of(*[[x, y, second(x), second(y)] for x, y in points]))
        )
        assert read.kind == {"xyxy": "MIDOG JSON", "xywh": "COCO JSON"}[form]
        assert read.rois[0].boxes.xyxy.tolist() == [[x, y, x + 50, y + 50] for x, y in points]


def test_figures_stay_in_file_order_and_images_without_boxes_are_there(tmp_path: Path) -> None:
    tree = tree_of([700, 500, 750, 550], [10, 600, 60, 650], [300, 20, 350, 70])
    tree["annotations"][1]["category_id"] = 2
    tree["images"].reverse()
    empty, roi = read_annotations(write(tmp_path, tree)).rois
    assert (empty.file_name, len(empty.boxes), empty.width, empty.height) == (
        "002.tiff",
        0,
        1000,
        800,
    )
    assert roi.boxes.xyxy[:, 0].tolist() == [700, 10, 300]
    assert roi.boxes.labels.tolist() == [MITOTIC_FIGURE, IMPOSTER, MITOTIC_FIGURE]


def test_a_file_without_boxes_is_read(tmp_path: Path) -> None:
    read = read_annotations(write(tmp_path, tree_of()))
    assert [len(roi.boxes) for roi in read.rois] == [0, 0]


def test_sizes_may_be_missing(tmp_path: Path) -> None:
    tree = tree_of([700, 500, 750, 550], width=None)
    roi = read_annotations(write(tmp_path, tree)).rois[0]
    assert (roi.width, roi.height, roi.boxes.xyxy.tolist()) == (None, None, [[700, 500, 750, 550]])


def test_further_fields_of_an_image_become_columns(tmp_path: Path) -> None:
    tree = tree_of()
    tree["images"][0] |= {
        "tumor_type": "melanoma",
        "license": 1,
        "grade": 2,
        "mpp": 0.23,
        "nested": {"a": 1},
    }
    roi = read_annotations(write(tmp_path, tree)).rois[0]
    assert (roi.columns, roi.mpp) == ({"tumour": "melanoma", "grade": "2"}, 0.23)


@pytest.mark.parametrize("mpp", [0.00025, 40, 250, 10**400])
def test_an_mpp_that_is_no_microscopes_is_an_error(tmp_path: Path, mpp: float) -> None:
    tree = tree_of()
    tree["images"][0]["mpp"] = mpp
    with pytest.raises(DataError, match=r"mpp .* is out of range, 0.05 to 5|: mpp is '1000"):
        read_annotations(write(tmp_path, tree))


def test_mixed_boxes_are_an_error_that_names_one_of_each_and_bbox_overrules(tmp_path: Path) -> None:
    path = write(tmp_path, tree_of([700, 500, 750, 550], [600, 300, 50, 50], [500, 300, 550, 350]))
    with pytest.raises(
        DataError,
        match=r"2 boxes read as x1 y1 x2 y2 \(.*annotation 10: .*and 1 .*annotation 11.*data.bbox",
    ):
        read_annotations(path)
    with pytest.raises(DataError, match=r"annotation 11: .* has no area"):
        read_annotations(path, bbox="xyxy")
    assert read_annotations(path, bbox="xywh").rois[0].boxes.xyxy[0].tolist() == [
        700,
        500,
        1450,
        1050,
    ]


def test_a_box_that_reaches_over_the_edge_a_little_is_no_evidence(tmp_path: Path) -> None:
    read = read_annotations(
        write(tmp_path, tree_of([40, 30, 80, 70], [60, 10, 30, 20], width=100, height=100))
    )
    assert read.kind == "COCO JSON"
    assert read.rois[0].boxes.xyxy.tolist() == [[40, 30, 120, 100], [60, 10, 90, 30]]


def test_mixed_boxes_are_seen_without_sizes(tmp_path: Path) -> None:
    tree = tree_of([700, 500, 750, 550], [600, 300, 50, 50], width=None)
    with pytest.raises(DataError, match=r"data\.bbox"):
        read_annotations(write(tmp_path, tree))


def test_boxes_that_read_both_ways_ask_for_bbox(tmp_path: Path) -> None:
    path = write(tmp_path, tree_of([100, 100, 164, 164]))
    with pytest.raises(
        DataError, match=r"its 1 boxes read as x1 y1 x2 y2 and as x y width height; .*data.bbox"
    ):
        read_annotations(path)
    assert read_annotations(path, bbox="xyxy").rois[0].boxes.xyxy.tolist() == [[100, 100, 164, 164]]
    assert read_annotations(path, bbox="xywh").rois[0].boxes.xyxy.tolist() == [[100, 100, 264, 264]]


def change(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    """A function that sets tree[keys[0]][keys[1]]… to a value, or with `...` deletes it."""

    def apply(tree: dict[str, Any]) -> None:
        node: Any = tree
        for key in keys[:-1]:
            node = node[key]
        if to is ...:
            del node[keys[-1]]
        else:
            node[keys[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change("annotations", 0, "bbox", 2, to=float("nan")), r"annotation 10: bbox is .*nan"),
        (change("annotations", 0, "bbox", 2, to=float("inf")), r"annotation 10: bbox is .*inf"),
        (change("annotations", 0, "bbox", 2, to="750"), r"annotation 10: bbox is"),
        (change("annotations", 0, "bbox", 2, to=True), r"annotation 10: bbox is"),
        (change("annotations", 0, "bbox", to=[1, 2, 3]), r"annotation 10: bbox is \[1, 2, 3\]"),
        (change("annotations", 0, "bbox", to=...), r"annotation 10 has no 'bbox'"),
        (
            change("annotations", 0, "bbox", to=[700, 500, 700, 550]),
            r"annotation 10: \[700, 500, 700, 550\]",
        ),
        (change("annotations", 0, "id", to=...), r"annotation number 1 has no 'id'"),
        (change("annotations", 0, "image_id", to=7), r"annotation 10: there is no image 7"),
        (change("annotations", 0, "image_id", to=[7]), r"annotation 10 has no 'image_id'"),
        (change("annotations", 0, "category_id", to=3), r"annotation 10: unknown category 3"),
        (change("annotations", 1, "id", to=10), r"annotation 10 is listed twice"),
        (change("annotations", 1, to="box"), r"annotation number 2 has no 'id'"),
        (
            change("categories", 0, "name", to="lymphocyte"),
            r"category 1: unknown category 'lymphocyte' \(2 figures\); .*data.classes",
        ),
        (change("categories", 1, "id", to=1), r"category 1 is listed twice"),
        (change("images", 1, "id", to=1), r"image 1 is listed twice"),
        (
            change("images", 1, "file_name", to="001.tiff"),
            r"image 2: file name 001.tiff is listed twice",
        ),
        (change("images", 1, "file_name", to=...), r"image 2 has no 'file_name'"),
        (change("images", 1, "width", to=-3), r"image 2 \(002.tiff\): width is -3"),
        (change("images", to=...), r"has no list 'images'"),
        (change("categories", to={}), r"has no list 'categories'"),
    ],
)
def test_a_wrong_record_is_named(
    tmp_path: Path, damage: Callable[[dict[str, Any]], None], said: str
) -> None:
    tree = tree_of([700, 500, 750, 550], [600, 300, 650, 350])
    damage(tree)
    with pytest.raises(DataError, match=said) as error:
        read_annotations(write(tmp_path, tree))
    assert "a.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_all_wrong_records_are_found_at_once_and_the_rest_is_read(tmp_path: Path) -> None:
    tree = tree_of([700, 500, 750, 550], [600, 300, 650, 350], [1, 2, 3])
    tree["annotations"][0]["image_id"] = 9
    path = write(tmp_path, tree)
    read, problems = scan_annotations(path)
    assert [problem.what.split(": ")[1] for problem in problems] == [
        "annotation 10",
        "annotation 12",
    ]
    assert read.rois[0].boxes.xyxy.tolist() == [[600, 300, 650, 350]]
    with pytest.raises(DataError, match=r"annotation 10: .*\(and 1 more, "):
        read_annotations(path)


@pytest.mark.parametrize("text", ["{", "", "[]", '{"images": 3}', "null"])
def test_what_is_no_annotation_file_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"a.json (is not JSON|has no list)"):
        read_annotations(write(tmp_path, text))
