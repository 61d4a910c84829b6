"""SlideRunner's SQLite databases, as MIDOG, CCMCT, CMC and the labels of TUPAC16 are published."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np

from midog.boxes import FIGURE_SIDE_UM, squares_around
from midog.data.annotations.class_names import AREA
from midog.data.annotations.figures import (
    Annotations,
    ClassTally,
    Figure,
    is_coordinate,
    values_of,
    with_boxes,
)
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.csv_text import MOST_LINES
from midog.data.roi import Roi
from midog.data.text_file import Problems, file_name_in, wrong_name
from midog.errors import DataError

NO_AGREEMENT = "no agreed class"
"""The name by which data.classes can state what annotations are on which experts disagree."""

_FIX = "give a database of SlideRunner, or its annotations as a CSV with file_name,x,y,label"
_COLUMNS = {
    "Slides": ("uid", "filename"),
    "Classes": ("uid", "name"),
    "Annotations": ("uid", "slide", "type", "agreedClass"),
    "Annotations_coordinates": ("annoId", "coordinateX", "coordinateY"),
}
"""The tables that are read, and the columns without which nothing can be."""
_OPTIONAL = {
    "Slides": ("directory", "width", "height"),
    "Annotations": ("deleted",),
    "Annotations_coordinates": ("orderIdx",),
}
"""Columns that older databases lack."""
_RECTANGLE = 2
_ON_SLIDE = 6
"""Types of annotations (`AnnotationType` there); one of a whole slide has no place."""
_AREA_FIX = "draw it as a rectangle, or leave its class out with NAME=skip"
_MOST_POINTS = 4 * MOST_LINES
_LONGEST_VALUE = 1_000_000  # bytes
_MOST_STEPS = 2000  # of 100,000 instructions each: seconds


def read_sliderunner(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a database of SlideRunner, as `Reader.read`.

    A figure is an annotation that is not deleted, of its agreed class, in the middle of its
    coordinates. Slides are its images, in folders where they have some; those without annotations
    are ROIs without figures. Rectangles of a class that data.classes calls an area are areas.
    """
    with _opened(file.path) as base:
        _check_tables(file.path, base)
        problems: Problems = []
        slides = _slides(file.path, base, problems)
        classes = {uid: str(name) for uid, name in _rows(base, "Classes") if name is not None}
        places = _places(file.path, base)
        tally = ClassTally(file, areas=True)
        figures, deleted = _figures(file.path, base, slides, classes, places, tally, problems)
    areas = {
        uid: [figure.values for figure in figures if figure.label == AREA and figure.image == uid]
        for uid in {figure.image for figure in figures if figure.label == AREA}
    }
    problems.extend(tally.problems("class"))
    figures = [figure for figure in figures if figure.label != AREA]
    rois = with_boxes(slides, figures, squares_around(values_of(figures, 2)), problems)
    rois = [
        replace(roi, areas=np.array(areas.get(uid, []), np.float32).reshape(-1, 4))
        for uid, roi in zip(slides, rois, strict=True)
    ]
    how = f"agreed classes, centres as squares of {FIGURE_SIDE_UM:g} um"
    notes = [*file.notes, *tally.notes()]
    if deleted:
        notes.append(f"{file.path.name}: {deleted} deleted annotations are left out")
    made = Annotations(file.path, rois, "SlideRunner database", how, tuple(notes), are_points=True)
    return made, problems


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, never written to and without a journal of its own.

    Raises:
        DataError: it cannot be read, or would take too long.
    """
    steps = 0
    for beside in ("-wal", "-journal"):
        other = path.with_name(path.name + beside)
        if other.is_file() and other.stat().st_size > 0:
            what = f"{path} has changes in {other.name} that are not written into it yet"
            raise DataError(what, "close it in SlideRunner, or open and close it once more")

    def too_long() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MOST_STEPS

    try:
        address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as base:
            base.execute("pragma trusted_schema = off")  # no view of it calls what it should not
            base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            base.text_factory = lambda raw: raw.decode("utf-8", "replace")
            base.set_progress_handler(too_long, 100_000)
            yield base
    except (sqlite3.Error, OverflowError) as error:
        why = "reading it takes too long" if steps > _MOST_STEPS else str(error)
        raise DataError(f"{path} cannot be read as a SQLite database: {why}", _FIX) from None


def _check_tables(path: Path, base: sqlite3.Connection) -> None:
    """Raise DataError for a database of something else, or one whose tables are views."""
    for table, columns in _COLUMNS.items():
        having = _columns(base, table)
        lacking = [column for column in columns if column.lower() not in having]
        kind = base.execute(
            "select type from sqlite_master where lower(name) = ?", (table.lower(),)
        ).fetchone()
        if kind != ("table",):
            what = f"{path} is a SQLite database without SlideRunner's table {table}"
            raise DataError(what, _FIX)
        if lacking:
            raise DataError(f"{path}: its table {table} has no column {lacking[0]}", _FIX)


def _columns(base: sqlite3.Connection, table: str) -> set[str]:
    return {str(row[1]).lower() for row in base.execute(f"pragma table_info({table})")}


def _rows(base: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a table: the columns of _COLUMNS, then those of _OPTIONAL, None where there is none;
    in the order of the figures' coordinates, else of the table."""
    having, optional = _columns(base, table), _OPTIONAL.get(table, ())
    asked = [*_COLUMNS[table], *(c if c.lower() in having else "null" for c in optional)]
    order = "order by annoId, orderIdx" if "orderIdx" in asked else "order by rowid"
    return iter(base.execute(f"select {', '.join(asked)} from {table} {order}"))


def _slides(path: Path, base: sqlite3.Connection, problems: Problems) -> dict[Any, Roi]:
    """ROIs without boxes by the uid of their slide."""
    slides: dict[Any, Roi] = {}
    names: set[str] = set()
    for uid, written, directory, width, height in _rows(base, "Slides"):
        where = f"{path}: slide {uid!r:.40}"
        name = _name_of(written, directory)
        if reason := wrong_name(name):
            problems.append(DataError(f"{where}: its file name {reason}", "correct that record"))
        elif name in names:
            problems.append(DataError(f"{where}: {name} is listed twice", "list each slide once"))
        elif len(slides) >= MOST_LINES:
            raise DataError(f"{path} lists over {MOST_LINES:,} slides", "split it")
        else:
            names.add(name)
            is_sized = all(isinstance(side, int) and 0 < side < 1e9 for side in (width, height))
            size = (width, height) if is_sized else (None, None)
            slides[uid] = Roi(name, *size)
    return slides


def _name_of(written: Any, directory: Any) -> str:
    """The name of a slide's image: below its directory, unless that is of some other machine."""
    name = file_name_in("" if written is None else str(written))
    folder = file_name_in("" if directory is None else str(directory))
    below = PurePosixPath(folder)
    if (
        not folder.strip("/. ")
        or below.is_absolute()
        or ".." in below.parts
        or ":" in str(directory)
    ):
        return name
    return str(below / name) if name else ""


def _places(path: Path, base: sqlite3.Connection) -> dict[Any, tuple[Any, ...]]:
    """By annotation, the box around its coordinates: x1, y1, x2, y2 as stored; values that are no
    coordinates in place of all where there is one."""
    boxes: dict[Any, tuple[Any, ...]] = {}
    for count, (owner, x, y, _) in enumerate(_rows(base, "Annotations_coordinates")):
        if count >= _MOST_POINTS:
            raise DataError(f"{path} lists over {_MOST_POINTS:,} coordinates", "split it")
        box = boxes.get(owner, (x, y, x, y))
        if all(map(is_coordinate, (x, y, *box))):
            boxes[owner] = (min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y))
        elif all(map(is_coordinate, box)):
            boxes[owner] = (x, y, x, y)
        else:
            boxes.setdefault(owner, box)
    return boxes


def _figures(
    path: Path,
    base: sqlite3.Connection,
    slides: dict[Any, Roi],
    classes: dict[Any, str],
    places: dict[Any, tuple[Any, ...]],
    tally: ClassTally,
    problems: Problems,
) -> tuple[list[Figure], int]:
    """The figures in the order of the table, and how many annotations are deleted."""
    figures: list[Figure] = []
    deleted = 0
    for uid, slide, kind, agreed, is_deleted in _rows(base, "Annotations"):
        if is_deleted not in (None, 0, ""):
            deleted += 1
            continue
        where = f"{path}: annotation {uid!r:.40}"
        name = classes.get(agreed, NO_AGREEMENT if agreed in (None, 0) else f"class {agreed!r:.40}")
        if kind == _ON_SLIDE:
            name = f"{name} of a whole slide"
        if len(figures) >= MOST_LINES:
            raise DataError(f"{path} lists over {MOST_LINES:,} annotations", "split it")
        label = tally.label_of(where, name)
        if label is None:
            continue
        box = places.get(uid)
        if slide not in slides:
            what = f"{where}: there is no slide {slide!r:.40}"
            problems.append(DataError(what, "list its slide, or drop it"))
        elif box is None or not all(map(is_coordinate, box)):
            what = f"{where}: its place is {_shown(box)}"
            problems.append(DataError(what, "give it coordinates in px, or drop it"))
        elif label == AREA:
            is_rectangle = kind == _RECTANGLE and box[0] < box[2] and box[1] < box[3]
            if is_rectangle:
                figures.append(Figure(where, slide, label, tuple(map(float, box))))
            else:
                problems.append(DataError(f"{where} is an area and no rectangle", _AREA_FIX))
        else:
            centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            figures.append(Figure(where, slide, label, centre))
    return figures, deleted


def _shown(box: Sequence[Any] | None) -> str:
    return "nowhere" if box is None else ", ".join(f"{value!r:.40}" for value in box[:2])
