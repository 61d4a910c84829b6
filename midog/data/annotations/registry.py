"""READERS: the formats of annotation files that can be read; to add one is an entry and a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midog.data.annotations.reader import AnnotationFile, BoxChoice, Reader

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


READERS: dict[str, Reader] = {
    "midog_coco_json": Reader(
        name="MIDOG or COCO JSON",
        words="lists of images, categories and annotations",
        suffixes=(".json",),
        takes=AnnotationFile.is_json,
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
}
"""The formats. A file is read by the last that takes it: a new one can take what an old one would.

The readers themselves are imported when they read, so that the help needs no numpy.
"""


def formats_in_words() -> str:
    """What annotation files can be read, in words for help and errors."""
    *others, last = (f"{reader.name} ({reader.words})" for reader in READERS.values())
    return f"{', '.join(others)} or {last}" if others else last
