"""The files of a data folder: which is the annotation file, and which image is whose."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from midog.data.find_files import default_split, locate, with_images
from midog.data.roi import Roi
from midog.errors import DataError

POINTS = "file_name,x,y,label\na.tiff,1,2,mitosis\n"
JSON = '{"images": [], "categories": [], "annotations": []}'


def test_json_of_something_else_beside_annotations_is_no_candidate(tmp_path: Path) -> None:
    (tmp_path / "MIDOG.json").write_text(JSON)
    (tmp_path / "settings.json").write_text('{"color": "red"}')
    (tmp_path / "detections.json").write_text('{"points": [], "version": {}}')
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    assert locate(tmp_path) == (tmp_path, tmp_path / "MIDOG.json")
    (tmp_path / "points.csv").write_text(POINTS)
    with pytest.raises(DataError, match=r"has 2 annotation files: MIDOG.json, points.csv; choose"):
        locate(tmp_path)


def test_json_of_something_else_alone_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"color": "red"}')
    assert locate(tmp_path)[1].name == "settings.json"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xml", "<ASAP_Annotations/>", r"a.xml is XML of ASAP, which is not read; write its"),
        ("labels/a.txt", "0 0.4 0.5 0.2 0.2\n", r"labels/a.txt is a text file of YOLO"),
        ("images/a.xml", "<annotation><object/></annotation>", r"images/a.xml is XML of Pascal"),
        ("a.csv", "120,100\n", r"a.csv is a table without a header, such as the row,col of TUPAC"),
        ("a.csv", "name,remark\na,b\n", r"a.csv is none: its columns are name, remark; give a"),
        ("a.csv", "x,y,label\n1,2,mitosis\n", r"a.csv is none: no column is of file names"),
        ("a.csv", "image,x_um,y_um\n1,2,3\n", r"a.csv is none: its column 'x_um' is not in px"),
        ("split.csv", "file_name,scanner\n", r"no annotation file in .*/; download with"),
    ],
)
def test_a_folder_without_annotations_names_what_may_be_meant(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said) as error:
        locate(tmp_path)
    assert "\n" not in str(error.value)


def test_several_files_of_one_kind_are_counted(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.xml").write_text("<ASAP_Annotations/>")
    with pytest.raises(DataError, match=r"a.xml \(and 2 more of it\) is XML of ASAP"):
        locate(tmp_path)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("place", ["images", "images/s1", ""])
def test_an_image_is_found_however_its_accents_are_encoded(
    tmp_path: Path, form: str, place: str
) -> None:
    path = tmp_path / place / unicodedata.normalize(form, "Präparat 1.tiff")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    name = "s1/Präparat 1.tiff" if "s1" in place else "Präparat 1.tiff"
    assert with_images([Roi(name)], tmp_path)[0].path == path


def test_images_by_full_then_by_bare_name(tmp_path: Path) -> None:
    for name in ("s1/a.tiff", "a.tiff"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    rois = with_images([Roi("s1/a.tiff"), Roi("C:/old/a.tiff"), Roi("b.tiff")], tmp_path)
    images = tmp_path / "images"
    assert [roi.path for roi in rois] == [images / "s1" / "a.tiff", images / "a.tiff", None]


def test_a_name_that_no_system_takes_is_no_image(tmp_path: Path) -> None:
    rois = [Roi("a" * 3000), Roi("a/" * 200 + "b.tiff"), Roi("é" * 3000)]
    assert [roi.path for roi in with_images(rois, tmp_path)] == [None] * 3


def test_the_split_of_a_folder(tmp_path: Path) -> None:
    assert default_split(tmp_path) is None
    (tmp_path / "split.csv").touch()
    assert default_split(tmp_path) == tmp_path / "split.csv"
