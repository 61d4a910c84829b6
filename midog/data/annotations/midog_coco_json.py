"""MIDOG and COCO JSON: images, categories and annotations; how boxes are written is decided over
the file as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FIGURE_SIDE_PX
from midog.data.annotations.figures import (
    BOX_FIX,
    BOX_SETTING,
    LABEL_FIX,
    Annotations,
    Figure,
    is_coordinate,
    label_of,
    values_of,
    with_boxes,
)
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.csv_text import Problems
from midog.data.roi import Roi
from midog.errors import DataError
from midog.mpp import Mpp, in_range, out_of_range

BoxFormat = Literal["xyxy", "xywh"]

_KINDS: dict[BoxFormat, tuple[str, str]] = {
    "xyxy": ("MIDOG JSON", "boxes as x1 y1 x2 y2"),
    "xywh": ("COCO JSON", "boxes as x y width height"),
}
_LISTS = ("images", "categories", "annotations")
_SCALAR = (str, int, float)
_NOT_COLUMNS = {
    "id",
    "file_name",
    "width",
    "height",
    "license",
    "coco_url",
    "flickr_url",
    "date_captured",
    "mpp",
}


def read_midog_coco_json(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a MIDOG or COCO JSON, as `Reader.read`; with "auto" the boxes decide which it is."""
    tree = _tree(file)
    problems: Problems = []
    images = _images(file.path, tree["images"], problems)
    labels = _categories(file.path, tree["categories"], problems)
    figures = list(_figures(file.path, tree["annotations"], images, labels, problems))
    values = values_of(figures, 4)
    sizes = np.array(
        [(images[f.image].width or np.inf, images[f.image].height or np.inf) for f in figures]
    ).reshape(-1, 2)
    chosen = _box_format(file.path, figures, values, sizes) if bbox == "auto" else bbox
    xyxy = values if chosen == "xyxy" else np.hstack([values[:, :2], values[:, :2] + values[:, 2:]])
    rois = with_boxes(images, figures, xyxy, problems)
    return Annotations(file.path, rois, *_KINDS[chosen]), problems


def _tree(file: AnnotationFile) -> dict[str, list[Any]]:
    """The three lists of the file; DataError where it is not JSON or lacks one."""
    fix = "give a MIDOG or COCO annotation file"
    try:
        tree = json.loads(file.text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file.path} is not JSON: {error}", fix) from None
    for key in _LISTS:
        if not isinstance(tree, dict) or not isinstance(tree.get(key), list):
            raise DataError(f"{file.path} has no list '{key}'", fix)
    return {key: tree[key] for key in _LISTS}


def _records(
    path: Path, kind: str, records: list[Any], keys: str, problems: Problems
) -> Iterator[tuple[str, Any]]:
    """The records that have all keys and an id of their own, each with words that name it.

    What is yielded under a key is a scalar, and thus hashable, but for bbox, which is a list.
    """
    seen: set[Any] = set()
    for number, record in enumerate(records, 1):
        fields = record if isinstance(record, dict) else {}
        where = f"{path}: {kind} {fields.get('id', f'number {number}')}"
        lacking = [
            key
            for key in keys.split()
            if not isinstance(fields.get(key), list if key == "bbox" else _SCALAR)
        ]
        if lacking:
            what = f"{where} has no {lacking[0]!r} that can be used"
            problems.append(DataError(what, "correct that record"))
        elif fields["id"] in seen:
            what = f"{where} is listed twice"
            problems.append(DataError(what, f"give each {kind} an id of its own"))
        else:
            seen.add(fields["id"])
            yield where, fields


def _images(path: Path, records: list[Any], problems: Problems) -> dict[Any, Roi]:
    """Images by id, in file order, as ROIs without boxes."""
    images: dict[Any, Roi] = {}
    names: set[str] = set()
    for where, record in _records(path, "image", records, "id file_name", problems):
        name = str(record["file_name"])
        if name in names:
            what = f"{where}: file name {name} is listed twice"
            problems.append(DataError(what, "list each image once"))
            continue
        names.add(name)
        numbers = {
            key: record[key] for key in ("width", "height", "mpp") if record.get(key) is not None
        }
        for key in [
            key for key, value in numbers.items() if not (is_coordinate(value) and value > 0)
        ]:
            what = f"{where} ({name}): {key} is {numbers.pop(key)!r}"
            problems.append(DataError(what, "write a positive number"))
        mpp = numbers.get("mpp")
        if mpp is not None and not in_range(mpp):
            what = f"{where} ({name}): mpp {out_of_range(Mpp.of(mpp))}"
            problems.append(DataError(what, "write um per pixel, such as 0.25"))
            mpp = None
        roi = Roi(name, mpp=mpp, columns=_columns(record))
        if "width" in numbers and "height" in numbers:
            roi = replace(roi, width=int(numbers["width"]), height=int(numbers["height"]))
        images[record["id"]] = roi
    return images


def _columns(record: Mapping[str, Any]) -> dict[str, str]:
    """The further fields of an image, as text."""
    fields = {key: str(value) for key, value in record.items() if isinstance(value, _SCALAR)}
    return {
        "tumour" if key == "tumor_type" else key: value
        for key, value in fields.items()
        if key not in _NOT_COLUMNS
    }


def _categories(path: Path, records: list[Any], problems: Problems) -> dict[Any, int]:
    """Labels by the file's category id; 0 for an unknown one: one problem for all its boxes."""
    labels: dict[Any, int] = {}
    for where, record in _records(path, "category", records, "id name", problems):
        labels[record["id"]] = label_of(str(record["name"]))
        if not labels[record["id"]]:
            what = f"{where}: unknown category '{record['name']}'"
            problems.append(DataError(what, LABEL_FIX))
    return labels


def _figures(
    path: Path,
    records: list[Any],
    images: Mapping[Any, Roi],
    labels: Mapping[Any, int],
    problems: Problems,
) -> Iterator[Figure]:
    keys = "id image_id category_id bbox"
    for where, record in _records(path, "annotation", records, keys, problems):
        image, category, box = record["image_id"], record["category_id"], record["bbox"]
        if image not in images:
            what = f"{where}: there is no image {image!r}"
            problems.append(DataError(what, "list its image, or drop the box"))
        elif category not in labels:
            problems.append(DataError(f"{where}: unknown category {category!r}", LABEL_FIX))
        elif len(box) != 4 or not all(map(is_coordinate, box)):
            problems.append(DataError(f"{where}: bbox is {box!r:.80}", "write four finite numbers"))
        elif labels[category]:
            yield Figure(where, image, labels[category], tuple(map(float, box)))


def _box_format(
    path: Path, figures: Sequence[Figure], values: NDArray[Any], sizes: NDArray[Any]
) -> BoxFormat:
    """How a file writes boxes, decided over all of them.

    A box is evidence of x1 y1 x2 y2 where its corners are in order and it would, read as x y width
    height, reach over its image's edge by more than a figure's side. It is evidence of x y width
    height where its corners are out of order. Near the image's origin it may read both ways: then
    it is evidence of the reading in which it is MIDOG's 50 px square. Reaching over the edge by
    less is no evidence: hundreds of boxes of the published files do.

    Args:
        path: the file, for messages.
        figures: its figures.
        values: (N, 4) float64, their boxes as written.
        sizes: (N, 2) float64, (width, height) of their images in px; inf where unknown.

    Raises:
        DataError: where there is evidence of both, or of neither.
    """
    first, second = values[:, :2], values[:, 2:]
    corners = (second > first).all(axis=1)
    lengths = (second > 0).all(axis=1)
    fits = lengths & (first + second <= sizes + FIGURE_SIDE_PX).all(axis=1)
    square_corners = (second - first == FIGURE_SIDE_PX).all(axis=1)
    square_lengths = (second == FIGURE_SIDE_PX).all(axis=1)
    for_xyxy = corners & (~fits | (square_corners & ~square_lengths))
    for_xywh = lengths & (~corners | (fits & square_lengths & ~square_corners))
    if for_xyxy.any() and for_xywh.any():
        corner, length = (
            str(figures[int(np.argmax(mask))]).removeprefix(f"{path}: ")
            for mask in (for_xyxy, for_xywh)
        )
        what = f"{path}: {for_xyxy.sum()} boxes read as x1 y1 x2 y2 ({corner})"
        what += f" and {for_xywh.sum()} as x y width height ({length})"
        raise DataError(what, BOX_FIX, BOX_SETTING)
    if figures and not for_xyxy.any() and not for_xywh.any():
        count = len(figures)
        what = f"{path}: its {count} boxes read as x1 y1 x2 y2 and as x y width height"
        raise DataError(what, BOX_FIX, BOX_SETTING)
    return "xywh" if for_xywh.any() else "xyxy"
