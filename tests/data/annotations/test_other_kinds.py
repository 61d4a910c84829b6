"""Files of figures that are not read: each is named as what it is, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.annotations.other_kinds import kind_of_file, kind_of_json, quick_look
from midog.data.annotations.read import read_annotations
from midog.errors import DataError


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.xml", "<?xml version='1.0'?><ASAP_Annotations></ASAP_Annotations>", "XML of ASAP"),
        ("a.xml", "<annotation><filename>a</filename></annotation>", "XML of Pascal VOC"),
        ("a.xml", "<!-- x --><annotation verified='no'><object/></annotation>", "Pascal VOC"),
        ("a.xml", '<Annotations MicronsPerPixel="0.25"></Annotations>', "Aperio ImageScope"),
        ("a.ndpa", "<annotations><ndpviewstate/></annotations>", "NDPA of Hamamatsu"),
        ("a.xml", "<annotations><version>1.1</version></annotations>", "CVAT"),
        ("a.xml", "<x/>", "XML"),
        ("a.txt", "0 0.4 0.5 0.2 0.2\n1 0.1 0.2 0.1 0.1\n", "a text file of YOLO"),
        ("a.csv", "120,100\n7,8\n", "without a header, such as the row,col of TUPAC16"),
        ("a.csv", "1,120,100\n", "without a header"),
        ("a.json", '[{"image_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}]', "COCO results"),
        ("a.json", '{"type": "Multiple points", "points": [], "version": {}}', "of the challenge"),
        ("a.json", '{"shapes": [], "imagePath": "a.png"}', "labelme"),
        ("a.xlsx", "PK\x03\x04", "workbook of Excel"),
    ],
)
def test_the_kind_is_named_with_a_way_out(tmp_path: Path, name: str, text: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=rf"{name} is .*{kind}.*, which is not read; .+") as error:
        read_annotations(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "file_name,x,y\n"),
        ("a.json", '{"images": []}'),
        ("a.txt", "hello\n"),
        ("a.csv", ""),
        ("a.csv", "7\n"),
    ],
)
def test_other_files_are_of_no_kind(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert kind_of_file(tmp_path / name) is None
    assert kind_of_file(tmp_path / "none") is None


@pytest.mark.parametrize("tree", [{}, [], None, 3, {"images": [], "shapes": 1, "imagePath": 2}])
def test_a_tree_that_may_be_ours_is_of_no_kind(tree: object) -> None:
    assert kind_of_json(tree) is None


def test_a_glance_at_a_json() -> None:
    assert quick_look('{"images": [], "annotations": []}')
    assert not quick_look('{"points": []}')
