"""READERS: the formats of annotation files that can be read; to add one is an entry and a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midog.data.annotations.reader import GEOJSON_ENDINGS, AnnotationFile, BoxChoice, Reader

if TYPE_CHECKING:
    from midog.data.annotations.figures import Annotations
    from midog.data.text_file import Problems


def _read_midog_coco_json(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.midog_coco_json import read_midog_coco_json

    return read_midog_coco_json(file, bbox)


def _read_csv_points(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.csv_points import read_csv_points

    return read_csv_points(file, bbox)


def _read_csv_boxes(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.csv_boxes import read_csv_boxes

    return read_csv_boxes(file, bbox)


def _read_geojson(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.geojson import read_geojson

    return read_geojson(file, bbox)


def _read_tupac16(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.headerless import read_tupac16

    return read_tupac16(file, bbox)


def _read_mitos14(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.headerless import read_mitos14

    return read_mitos14(file, bbox)


def _read_sliderunner(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    from midog.data.annotations.sliderunner import read_sliderunner

    return read_sliderunner(file, bbox)


def _never(file: AnnotationFile) -> bool:
    return False


READERS: dict[str, Reader] = {
    "midog_coco_json": Reader(
        name="MIDOG or COCO JSON",
        words="lists of images, categories and annotations",
        suffixes=(".json",),
        takes=lambda file: file.is_json() and not file.is_geojson(),
        read=_read_midog_coco_json,
    ),
    "csv_points": Reader(
        name="CSV of points",
        words="header file_name,x,y,label",
        suffixes=(".csv", ".tsv"),
        takes=lambda file: file.layout() == "points",
        read=_read_csv_points,
    ),
    "csv_boxes": Reader(
        name="CSV of boxes",
        words="header file_name,x1,y1,x2,y2,label",
        suffixes=(".csv", ".tsv"),
        takes=lambda file: file.layout() in ("corners", "sized", "centred"),
        read=_read_csv_boxes,
    ),
    "geojson": Reader(
        name="GeoJSON of QuPath",
        words="points and polygons, one file per image",
        suffixes=GEOJSON_ENDINGS,
        takes=AnnotationFile.is_geojson,
        read=_read_geojson,
        per_image=True,
    ),
    "sliderunner": Reader(
        name="SQLite of SlideRunner",
        words="its agreed classes, as MIDOG, CCMCT and CMC are published",
        suffixes=(".sqlite", ".sqlite3", ".db"),
        takes=lambda file: file.is_database,
        read=_read_sliderunner,
    ),
    "tupac16": Reader(
        name="CSV of TUPAC16 or AMIDA13",
        words="row,column without a header, one file per image",
        suffixes=(".csv", ".txt"),
        takes=_never,
        read=_read_tupac16,
        per_image=True,
        asked=True,
    ),
    "mitos14": Reader(
        name="CSV of MITOS-ATYPIA 14",
        words="x,y without a header, one or two files per image",
        suffixes=(".csv", ".txt"),
        takes=_never,
        read=_read_mitos14,
        per_image=True,
        asked=True,
    ),
}
"""The formats. A file is read by the last that takes it: a new one can take what an old one would.

The readers themselves are imported when they read, so that the help needs no numpy.
"""


def formats_in_words() -> str:
    """What annotation files can be read, in words for help and errors."""
    shown = (reader for reader in READERS.values() if not reader.asked)
    *others, last = (f"{reader.name} ({reader.words})" for reader in shown)
    return f"{', '.join(others)} or {last}" if others else last
