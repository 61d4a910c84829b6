"""Records of a JSON: ids as text, boxes to ignore, facts of images, and what is not used."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.json_records import Ids
from midog.data.annotations.read import read_annotations
from midog.errors import DataError
from tests.data.annotations.files import tree_of, write

BOX = [700, 500, 750, 550]


def test_ids_as_text_are_found_and_said(tmp_path: Path) -> None:
    tree = tree_of(BOX)
    tree["annotations"][0] |= {"image_id": "1", "category_id": "1"}
    read = read_annotations(write(tmp_path, tree))
    assert read.rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE]
    assert read.notes == ("a.json: 2 ids are text in one list, numbers in another",)


@pytest.mark.parametrize(
    ("known", "key", "found"),
    [
        ([0, 1], "0", 0),
        (["0"], 0, "0"),
        (["7"], 7.0, "7"),
        ([1], "01", None),
        ([1], "1.0", None),
        ([1], "one", None),
        (["1", 1], 1, 1),
        ([1], "1" * 5000, None),
        ([1], 1.5, None),
        ([1], float("inf"), None),
    ],
)
def test_which_ids_are_one(known: list[Any], key: Any, found: Any) -> None:
    assert Ids(dict.fromkeys(known)).find(key) == found


def test_regions_and_boxes_to_ignore_are_no_figures(tmp_path: Path) -> None:
    tree = tree_of(BOX, [300, 300, 350, 350], [100, 100, 400, 400], [5, 500, 55, 550])
    tree["annotations"][1]["iscrowd"] = 0
    tree["annotations"][2]["iscrowd"] = 1
    tree["annotations"][3]["ignore"] = True
    read = read_annotations(write(tmp_path, tree), bbox="xyxy")
    assert len(read.rois[0].boxes) == 2
    assert read.rois[0].ignored.tolist() == [[100, 100, 400, 400], [5, 500, 55, 550]]
    assert read.describe().endswith("2 mitotic figures, 0 imposters, 2 boxes to ignore")
    tree["annotations"][0]["iscrowd"] = "some"
    with pytest.raises(DataError, match=r"annotation 10: iscrowd is 'some'; write 0 or 1"):
        read_annotations(write(tmp_path, tree), bbox="xyxy")


def test_a_category_that_no_box_uses_refuses_nothing(tmp_path: Path) -> None:
    tree = tree_of(BOX)
    tree["categories"].append({"id": 3, "name": "granulocyte"})
    assert len(read_annotations(write(tmp_path, tree)).rois[0].boxes) == 1
    tree["annotations"][0]["category_id"] = 3
    path = write(tmp_path, tree)
    with pytest.raises(
        DataError, match=r"category 3: unknown category 'granulocyte' \(1 figures\)"
    ):
        read_annotations(path)
    read = read_annotations(path, classes="Granulocyte=skip")
    assert len(read.rois[0].boxes) == 0
    assert read.notes == ("a.json: 1 of 'granulocyte' are left out, as data.classes states",)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["Mitose", "Hard negative"], [MITOTIC_FIGURE, IMPOSTER]),
        (["Mitosis", "Mitosislike"], [MITOTIC_FIGURE, IMPOSTER]),
        (["Nonmitosis", "Mitosis"], [IMPOSTER, MITOTIC_FIGURE]),
    ],
)
def test_published_names_of_classes(tmp_path: Path, names: list[str], labels: list[int]) -> None:
    tree = tree_of(BOX, [300, 300, 350, 350])
    tree["categories"] = [{"id": n, "name": name} for n, name in enumerate(names, 1)]
    tree["annotations"][1]["category_id"] = 2
    assert read_annotations(write(tmp_path, tree)).rois[0].boxes.labels.tolist() == labels


def test_facts_of_images_reach_the_rois(tmp_path: Path) -> None:
    tree = tree_of()
    tree["images"][0] |= {"case_id": 7, "scanner_model": "nanozoomer xr", "um_per_px": "0.23"}
    read = read_annotations(write(tmp_path, tree))
    roi = read.rois[0]
    assert (roi.patient, roi.scanner, roi.mpp, roi.columns) == ("7", "Hamamatsu XR", 0.23, {})
    assert read.notes[0].startswith("a.json: columns read under other names: case_id as patient")


def test_what_looks_like_a_fact_and_what_is_not_used_is_said(tmp_path: Path) -> None:
    tree = tree_of(BOX)
    tree["images"][0]["magnification"] = 40
    tree["annotations"][0] |= {"score": 0.5, "labels": [1, 1]}
    read = read_annotations(write(tmp_path, tree))
    assert read.notes == (
        "a.json: images have a field 'magnification', which is not used as mpp; rename it to mpp if"
        " it is one",
        "a.json, annotations: columns not used: score",
    )


def test_names_of_other_systems(tmp_path: Path) -> None:
    tree = tree_of()
    tree["images"][0]["file_name"] = "images\\a.tiff"
    tree["images"][1]["file_name"] = unicodedata.normalize("NFD", "Präparat.tiff")
    names = [roi.file_name for roi in read_annotations(write(tmp_path, tree)).rois]
    assert names == ["images/a.tiff", "Präparat.tiff"]
    tree["images"][0]["file_name"] = "Präparat.tiff"
    with pytest.raises(DataError, match=r"file name Präparat.tiff is listed twice"):
        read_annotations(write(tmp_path, tree))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, r"is nested deeper than 64"),
        ("[]," * 3_100_000, r"has 3,100,000 objects and lists; at most 3,000,000 are read"),
        ('{"images": [], "images": []}', r"the key 'images' is named twice in one object"),
        ('{"images": [' + "1" * 5000 + "]}", r"4300 digits"),
        ('{"images": [true, {"id": true}], "categories": [], "annotations": []}', "has no 'id'"),
        ('{"images": [{"id": NaN}], "categories": [], "annotations": []}', "has no 'id'"),
        (
            '{"images": [{"id": 1, "file_name": "a\\u0000"}], "categories": [], "annotations": []}',
            r"image 1: its file name holds control characters",
        ),
    ],
    ids=range(7),
)
def test_hostile_json_is_one_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read_annotations(write(tmp_path, text))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 2000


def test_a_list_of_too_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midog.data.annotations.json_records.MOST_LINES", 1)
    with pytest.raises(DataError, match=r"a.json has 2 images; at most 1 are read; split it"):
        read_annotations(write(tmp_path, tree_of()))


@pytest.mark.parametrize(
    ("key", "value"),
    [("width", "wide"), ("height", -1), ("mpp", 1e6)],
)
def test_a_fact_that_is_none(tmp_path: Path, key: str, value: Any) -> None:
    tree = tree_of()
    tree["images"][0][key] = value
    with pytest.raises(DataError, match=rf"image 1 \(001.tiff\): {key} (is|1e\+06 is) "):
        read_annotations(write(tmp_path, json.dumps(tree)))


@pytest.mark.parametrize(("key", "value"), [("patient", {"id": 3}), ("mpp", [0.25, 0.25])])
def test_a_fact_that_is_no_text_or_number(tmp_path: Path, key: str, value: Any) -> None:
    tree = tree_of()
    tree["images"][0][key] = value
    with pytest.raises(DataError, match=rf"image 1 has no {key!r} that can be used"):
        read_annotations(write(tmp_path, tree))


def test_the_name_of_an_image_under_another_key(tmp_path: Path) -> None:
    tree = tree_of([700, 500, 750, 550])
    for image in tree["images"]:
        image["image_path"] = "./images/" + image.pop("file_name")
    read = read_annotations(write(tmp_path, tree))
    assert [roi.file_name for roi in read.rois] == ["images/001.tiff", "images/002.tiff"]
    assert read.notes == ("a.json: columns read under other names: image_path as file_name",)
