"""SlideRunner's databases, old and new: agreed classes, deleted annotations, hostile files."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from midog.data.annotations import sliderunner
from midog.data.annotations.read import read_annotations, scan_annotations
from midog.errors import DataError
from tests.data.annotations.test_headerless import figures

SPOT, AREA, POLYGON, CIRCLE, ON_SLIDE = 1, 2, 3, 5, 6

OLD = """
create table Slides (uid integer primary key, filename text, width integer, height integer);
create table Classes (uid integer primary key, name text);
create table Annotations (uid integer primary key, slide integer, type integer,
    agreedClass integer);
create table Annotations_coordinates (uid integer primary key, coordinateX integer,
    coordinateY integer, slide integer, annoId integer);
"""
NEW = """
create table Slides (uid integer primary key, filename text, width integer, height integer,
    directory text, uuid text);
create table Classes (uid integer primary key, name text, color text);
create table Annotations (uid integer primary key, slide integer, guid text, deleted integer
    default 0, type integer, agreedClass integer, description text);
create table Annotations_coordinates (uid integer primary key, coordinateX integer,
    coordinateY integer, coordinateZ integer default 0, slide integer, annoId integer,
    orderIdx integer);
create table Annotations_label (uid integer primary key, person integer, class integer,
    annoId integer);
"""


def write_database(
    path: Path,
    slides: Sequence[dict[str, Any]] = (),
    annotations: Sequence[dict[str, Any]] = (),
    classes: Sequence[Any] = ("Mitosis", "Nonmitosis"),
    schema: str = NEW,
) -> Path:
    """A database as SlideRunner writes it; `at` of an annotation are its coordinates."""
    base = sqlite3.connect(path)
    base.executescript(schema)

    def insert(table: str, row: dict[str, Any]) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        base.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    for number, name in enumerate(classes, 1):
        insert("Classes", {"uid": number, "name": name})
    for number, slide in enumerate(slides, 1):
        insert("Slides", {"uid": number, **slide})
    for number, row in enumerate(annotations, 1):
        rest = {"uid": number, "slide": 1, "type": SPOT, "agreedClass": 1, **row}
        at = rest.pop("at", [(100, 50)])
        insert("Annotations", rest)
        for x, y in at:
            insert(
                "Annotations_coordinates", {"annoId": number, "coordinateX": x, "coordinateY": y}
            )
    base.commit()
    base.close()
    return path


@pytest.mark.parametrize("schema", [OLD, NEW])
def test_agreed_classes_and_centres_of_every_kind(tmp_path: Path, schema: str) -> None:
    rows = [
        {"at": [(10, 20)]},
        {"agreedClass": 2, "type": AREA, "at": [(90, 80), (110, 120)]},
        {"type": CIRCLE, "at": [(0, 0), (50, 50)]},
        {"type": POLYGON, "at": [(0, 0), (40, 10), (20, 60)]},
        {"slide": 2, "at": [(7, 8)]},
    ]
    slides = [{"filename": "a.svs", "width": 900, "height": 700}, *({"filename": n} for n in "bc")]
    read = read_annotations(write_database(tmp_path / "a.sqlite", slides, rows, schema=schema))
    assert figures(read) == {
        "a.svs": [(10, 20, 1), (100, 100, 2), (25, 25, 1), (20, 30, 1)],
        "b": [(7, 8, 1)],
        "c": [],
    }
    assert (read.rois[0].width, read.rois[0].height, read.rois[1].width) == (900, 700, None)
    assert "agreed classes, centres as squares of 12.5 um" in read.describe()


def test_deleted_annotations_are_left_out_with_a_note(tmp_path: Path) -> None:
    rows = [{"deleted": 1}, {"deleted": 0}, {"deleted": None}, {"deleted": 1, "agreedClass": 99}]
    read = read_annotations(write_database(tmp_path / "a.db", [{"filename": "a.svs"}], rows))
    assert len(read.rois[0].boxes) == 2
    assert "a.db: 2 deleted annotations are left out" in read.notes


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"agreedClass": 0}, "no agreed class"),
        ({"agreedClass": None}, "no agreed class"),
        ({"agreedClass": 9}, "class 9"),
        ({"agreedClass": 3}, "ROI"),
        ({"type": ON_SLIDE, "at": []}, "Mitosis of a whole slide"),
    ],
)
def test_what_has_no_class_of_ours_needs_a_word(tmp_path: Path, row: Any, name: str) -> None:
    path = tmp_path / "a.sqlite"
    classes = ("Mitosis", "Nonmitosis", "ROI")
    write_database(path, [{"filename": "a.svs"}], [row, {}], classes)
    with pytest.raises(DataError, match=rf"annotation 1: unknown class '{name}'.*data.classes"):
        read_annotations(path)
    assert len(read_annotations(path, classes=f"{name}=skip").rois[0].boxes) == 1


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("", "25.tif"),
        (None, "25.tif"),
        ("01", "01/25.tif"),
        ("./set/01/", "set/01/25.tif"),
        ("/home/me/slides", "25.tif"),
        ("C:\\slides", "25.tif"),
        ("../slides", "25.tif"),
    ],
)
def test_a_directory_is_of_the_name_unless_of_another_machine(
    tmp_path: Path, directory: Any, name: str
) -> None:
    slides = [{"filename": "25.tif", "directory": directory}]
    read = read_annotations(write_database(tmp_path / "a.sqlite", slides, [{}]))
    assert [roi.file_name for roi in read.rois] == [name]


@pytest.mark.parametrize(
    ("slides", "row", "said"),
    [
        ([{}], {}, "slide 1: its file name is empty"),
        ([{"filename": "a"}, {"filename": "a"}], {}, "slide 2: a is listed twice"),
        ([{"filename": "a"}], {"slide": 7}, "annotation 1: there is no slide 7"),
        ([{"filename": "a"}], {"slide": None}, "annotation 1: there is no slide None"),
        ([{"filename": "a"}], {"slide": "x"}, "annotation 1: there is no slide 'x'"),
        ([{"filename": "a"}], {"at": []}, "annotation 1: its place is nowhere"),
        ([{"filename": "a"}], {"at": [(1, None)]}, "annotation 1: its place is 1, None"),
        ([{"filename": "a"}], {"at": [(1, 2), ("x", 2)]}, "annotation 1: its place is 'x', 2"),
        ([{"filename": "a"}], {"at": [(b"x", 2), (1, 2)]}, "annotation 1: its place is b'x', 2"),
        ([{"filename": "a"}], {"at": [(1e300, 2)]}, "annotation 1: its place is 1e+300, 2"),
    ],
)
def test_a_wrong_record_is_named(tmp_path: Path, slides: Any, row: Any, said: str) -> None:
    path = write_database(tmp_path / "a.sqlite", slides, [row])
    _, problems = scan_annotations(path)
    assert any(f"{path}: {said}" in str(problem) for problem in problems), problems


def test_what_is_no_database_of_sliderunner_is_one_line(tmp_path: Path) -> None:
    path = write_database(tmp_path / "a.sqlite", [{"filename": "a"}], [{}])
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(DataError, match=r"cannot be read as a SQLite database"):
        read_annotations(path)
    path.write_bytes(content[:5000])
    with pytest.raises(DataError):
        read_annotations(path)
    for number, script in enumerate(
        [
            "create table A (b)",
            NEW.replace("agreedClass integer, ", ""),
            NEW + "drop table Classes; create view Classes as select 1 uid, 'x' name",
        ]
    ):
        path = tmp_path / f"{number}.sqlite"
        base = sqlite3.connect(path)
        base.executescript(script)
        base.close()
        with pytest.raises(DataError, match=r"without SlideRunner's table|has no column") as error:
            read_annotations(path)
        assert "\n" not in str(error.value)


def test_bounds_of_what_is_read(tmp_path: Path, monkeypatch) -> None:
    path = write_database(tmp_path / "a.sqlite", [{"filename": "a"}, {"filename": "b"}], [{}, {}])
    for name, value, said in (
        ("MOST_LINES", 1, "lists over 1 slides"),
        ("_MOST_POINTS", 1, "lists over 1 coordinates"),
        ("_MOST_STEPS", -1, "reading it takes too long"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sliderunner, name, value)
            if name == "_MOST_STEPS":
                many = [{} for _ in range(20_000)]
                path = write_database(tmp_path / "b.sqlite", [{"filename": "a"}], many)
            with pytest.raises(DataError, match=said):
                read_annotations(path)
    long = write_database(tmp_path / "c.sqlite", [{"filename": "a" * 1_100_000}])
    with pytest.raises(DataError, match="too big"):
        read_annotations(long)


def test_the_file_is_not_touched_and_pending_changes_are_an_error(tmp_path: Path) -> None:
    path = write_database(tmp_path / "a b?#%20.sqlite", [{"filename": "a"}], [{}])
    before = path.read_bytes()
    read_annotations(path)
    assert (path.read_bytes(), [one.name for one in tmp_path.iterdir()]) == (before, [path.name])
    path.with_name(path.name + "-wal").write_bytes(b"x")
    with pytest.raises(DataError, match=r"has changes in .*-wal that are not written into it"):
        read_annotations(path)
