"""MIDOG and COCO JSON: images, categories and annotations; how boxes are written is decided over
the file as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FIGURE_SIDE_PX
from midog.data.annotations.class_names import IGNORED
from midog.data.annotations.figures import (
    BOX_FIX,
    BOX_SETTING,
    Annotations,
    ClassTally,
    Figure,
    is_coordinate,
    values_of,
    with_boxes,
)
from midog.data.annotations.json_records import (
    Ids,
    JsonNotes,
    is_ignored,
    lists_of,
    read_images,
    records,
)
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.roi import Roi
from midog.data.text_file import Problems
from midog.errors import DataError

BoxFormat = Literal["xyxy", "xywh"]

_KINDS: dict[BoxFormat, tuple[str, str]] = {
    "xyxy": ("MIDOG JSON", "boxes as x1 y1 x2 y2"),
    "xywh": ("COCO JSON", "boxes as x y width height"),
}


def read_midog_coco_json(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a MIDOG or COCO JSON, as `Reader.read`; with "auto" the boxes decide which it is."""
    tree = lists_of(file)
    problems: Problems = []
    notes = JsonNotes(file.path.name)
    images = read_images(file.path, tree["images"], problems, notes)
    categories = _categories(file.path, tree["categories"], problems)
    tally = ClassTally(file, {str(name): where for where, name in categories.values()})
    figures = _figures(file.path, tree["annotations"], images, categories, tally, problems, notes)
    problems.extend(tally.problems("category"))
    values = values_of(figures, 4)
    sizes = np.array(
        [(images[f.image].width or np.inf, images[f.image].height or np.inf) for f in figures]
    ).reshape(-1, 2)
    chosen = _box_format(file.path, figures, values, sizes) if bbox == "auto" else bbox
    xyxy = values if chosen == "xyxy" else np.hstack([values[:, :2], values[:, :2] + values[:, 2:]])
    rois = with_boxes(images, figures, xyxy, problems)
    lines = (*file.notes, *notes.lines(), *tally.notes())
    return Annotations(file.path, rois, *_KINDS[chosen], lines), problems


def _categories(path: Path, listed: list[Any], problems: Problems) -> dict[Any, tuple[str, str]]:
    """By the file's category id, the record and the name of a category."""
    return {
        record["id"]: (where, str(record["name"]))
        for where, record in records(path, "category", listed, "id name", problems)
    }


def _figures(
    path: Path,
    listed: list[Any],
    images: Mapping[Any, Roi],
    categories: Mapping[Any, tuple[str, str]],
    tally: ClassTally,
    problems: Problems,
    notes: JsonNotes,
) -> list[Figure]:
    """The figures whose image and category are known, in file order."""
    figures = []
    of_images, of_categories = Ids(images), Ids(categories)
    keys = "id image_id category_id bbox"
    for where, record in records(path, "annotation", listed, keys, problems):
        image, box = of_images.find(record["image_id"]), record["bbox"]
        category = of_categories.find(record["category_id"])
        ignored = is_ignored(where, record, problems)
        notes.see_annotation(record)
        if image is None:
            what = f"{where}: there is no image {record['image_id']!r}"
            problems.append(DataError(what, "list its image, or drop the box"))
        elif category is None:
            what = f"{where}: unknown category {record['category_id']!r}"
            problems.append(DataError(what, "list its category, or drop the box"))
        elif len(box) != 4 or not all(map(is_coordinate, box)):
            problems.append(DataError(f"{where}: bbox is {box!r:.80}", "write four finite numbers"))
        elif ignored is not None:
            label = tally.label_of(where, categories[category][1])
            if label is not None:
                label = IGNORED if ignored else label
                figures.append(Figure(where, image, label, tuple(map(float, box))))
    notes.text_ids = of_images.by_text + of_categories.by_text
    return figures


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
