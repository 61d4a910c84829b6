"""The files of a data folder: which is the annotation file, or which are."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.find_files import default_split, locate
from midog.errors import DataError
from tests.data.annotations.test_sliderunner import write_database

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


def test_the_split_of_a_folder(tmp_path: Path) -> None:
    assert default_split(tmp_path) is None
    (tmp_path / "split.csv").touch()
    assert default_split(tmp_path) == tmp_path / "split.csv"


OBJECTS = '{"type": "FeatureCollection", "features": []}'


@pytest.mark.parametrize("place", ["annotations", "images", "."])
def test_files_of_one_image_each_are_found_in_three_places(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "a.geojson").write_text(OBJECTS)
    (tmp_path / "detections").mkdir()
    (tmp_path / "detections" / "a.geojson").write_text(OBJECTS)
    assert locate(tmp_path) == (tmp_path, tmp_path / place)
    assert locate(tmp_path, tmp_path / "detections")[1] == tmp_path / "detections"
    (tmp_path / "points.csv").write_text(POINTS)
    assert locate(tmp_path)[1] == tmp_path / "points.csv"


def test_two_places_with_files_of_one_image_each_are_an_error(tmp_path: Path) -> None:
    for place in ("annotations", "images"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.geojson").write_text(OBJECTS)
    with pytest.raises(DataError, match=r"annotations/, .*images/ have files of annotations; choo"):
        locate(tmp_path)


def test_tables_without_a_header_are_found_by_request(tmp_path: Path) -> None:
    (tmp_path / "annotations" / "01").mkdir(parents=True)
    (tmp_path / "annotations" / "01" / "01.csv").write_text("120,100\n")
    (tmp_path / "annotations" / "02.csv").write_text("120,100\n")
    (tmp_path / "split.csv").write_text("file_name,split\n")
    assert locate(tmp_path, annotations_format="tupac16")[1] == tmp_path / "annotations"
    with pytest.raises(DataError, match=r"choose .*tupac16 for row,col"):
        locate(tmp_path)


def test_a_database_counts_where_there_is_no_other(tmp_path: Path, caplog) -> None:
    write_database(tmp_path / "MIDOG.sqlite")
    assert locate(tmp_path) == (tmp_path, tmp_path / "MIDOG.sqlite")
    (tmp_path / "MIDOG.json").write_text(JSON)
    with caplog.at_level("INFO"):
        assert locate(tmp_path) == (tmp_path, tmp_path / "MIDOG.json")
    assert caplog.messages == ["MIDOG.sqlite is left out, as MIDOG.json is there"]
