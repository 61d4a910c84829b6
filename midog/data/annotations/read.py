"""Annotation files of every kind this field ships (MIDOG JSON, COCO JSON, CSV), read into a list of
Roi."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FIGURE_SIDE_PX, IMPOSTER, MITOTIC_FIGURE, Boxes, squares_around
from midog.data.csv_text import Problems, raise_problems, read_table, read_text
from midog.data.roi import Roi
from midog.errors import DataError

Kind = Literal["MIDOG JSON", "COCO JSON", "CSV points", "CSV boxes"]
BoxFormat = Literal["xyxy", "xywh"]
BoxChoice = Literal["auto", "xyxy", "xywh"]

_NAMES = {
    MITOTIC_FIGURE: "mitotic figure, mitotic figures, mitosis, mitoses, mitotic, mitotic cell, 1",
    IMPOSTER: (
        "imposter, imposters, impostor, impostors, hard negative, hard negatives, lookalike, look"
        " alike, 2, non mitotic figure, non mitotic figures, non mitotic, non mitosis, nonmitotic"
        " figure, not mitotic figure, not mitotic"
    ),
}
_LABELS = {name: label for label, names in _NAMES.items() for name in names.split(", ")}
_CATEGORY_FIX = "name each category 'mitotic figure' or 'imposter' ('not mitotic figure')"
_BBOX_FIX = "say how boxes are written with --bbox xyxy or --bbox xywh"
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


@dataclass(frozen=True, eq=False)
class Annotations:
    """What an annotation file holds: its ROIs in file order, those without boxes included, and how
    it was read."""

    path: Path
    rois: list[Roi]
    kind: Kind
    bbox: BoxFormat

    def describe(self) -> str:
        """One line for the user: kind, how boxes were read, and how many images, figures and
        imposters."""
        figures, imposters = (
            sum(len(roi.boxes.of_class(label)) for roi in self.rois) for label in _NAMES
        )
        how = "boxes as x1 y1 x2 y2" if self.bbox == "xyxy" else "boxes as x y width height"
        if self.kind == "CSV points":
            how = f"points as squares of {FIGURE_SIDE_PX:.0f} px"
        counts = f"{len(self.rois)} images, {figures} mitotic figures, {imposters} imposters"
        return f"{self.path.name}: {self.kind}, {how}, {counts}"


def read_annotations(path: Path | str, *, bbox: BoxChoice = "auto") -> Annotations:
    """The ROIs of a MIDOG JSON, a COCO JSON, or a CSV of points or boxes, whichever the file is.

    bbox: how a JSON file writes its boxes; "auto" tells from the file as a whole.
    Raises DataError that names the first wrong record (its id or line) and says how many more there
    are.
    """
    annotations, problems = scan_annotations(path, bbox=bbox)
    raise_problems(problems)
    return annotations


def scan_annotations(path: Path | str, *, bbox: BoxChoice = "auto") -> tuple[Annotations, Problems]:
    """As `read_annotations`, but gives what can be read together with everything that is wrong with
    the file.

    Raises DataError only where the file as a whole cannot be read.
    """
    path = Path(path)
    text = read_text(path)
    is_json = path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "[")
    return (_scan_json if is_json else _scan_csv)(path, text, bbox)


class _Figure(NamedTuple):
    where: str  # "MIDOG.json: annotation 17", or "points.csv line 5"
    image: Any  # id of its image; in a CSV its file name
    label: int
    values: tuple[float, ...]


def _scan_json(path: Path, text: str, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not JSON: {error}", "give a MIDOG or COCO annotation file"
        ) from None
    for key in ("images", "categories", "annotations"):
        if not isinstance(tree, dict) or not isinstance(tree.get(key), list):
            raise DataError(f"{path} has no list '{key}'", "give a MIDOG or COCO annotation file")
    problems: Problems = []
    images = _images(path, tree["images"], problems)
    labels = _categories(path, tree["categories"], problems)
    figures = list(_figures(path, tree["annotations"], images, labels, problems))
    values = np.array([each.values for each in figures], dtype=np.float64).reshape(-1, 4)
    sizes = np.array(
        [(images[f.image].width or np.inf, images[f.image].height or np.inf) for f in figures]
    )
    chosen: BoxFormat = (
        _choose(path, figures, values, sizes.reshape(-1, 2)) if bbox == "auto" else bbox
    )
    xyxy = values if chosen == "xyxy" else np.hstack([values[:, :2], values[:, :2] + values[:, 2:]])
    rois = _with_boxes(images, figures, xyxy, problems)
    return (
        Annotations(path, rois, "MIDOG JSON" if chosen == "xyxy" else "COCO JSON", chosen),
        problems,
    )


def _records(
    path: Path, kind: str, records: list[Any], keys: str, problems: Problems
) -> Iterator[tuple[str, Any]]:
    """The records that have all keys and an id of their own, each with words that name it; ids can
    be hashed."""
    seen: set[Any] = set()
    for number, record in enumerate(records, 1):
        known = record if isinstance(record, dict) else {}
        where = f"{path}: {kind} {known.get('id', f'number {number}')}"
        lacking = [
            key
            for key in keys.split()
            if not isinstance(known.get(key), list if key == "bbox" else _SCALAR)
        ]
        if lacking:
            problems.append(
                DataError(f"{where} has no {lacking[0]!r} that can be used", "mend that record")
            )
        elif known["id"] in seen:
            problems.append(
                DataError(f"{where} stands twice", f"give each {kind} an id of its own")
            )
        else:
            seen.add(known["id"])
            yield where, known


def _images(path: Path, records: list[Any], problems: Problems) -> dict[Any, Roi]:
    """Images by id, in file order, as ROIs without boxes."""
    images: dict[Any, Roi] = {}
    names: set[str] = set()
    for where, record in _records(path, "image", records, "id file_name", problems):
        if (name := str(record["file_name"])) in names:
            problems.append(
                DataError(f"{where}: file name {name} stands twice", "list each image once")
            )
            continue
        names.add(name)
        numbers = {
            key: record[key] for key in ("width", "height", "mpp") if record.get(key) is not None
        }
        for key in [key for key, value in numbers.items() if not (_is_number(value) and value > 0)]:
            problems.append(
                DataError(
                    f"{where} ({name}): {key} is {numbers.pop(key)!r}", "write a positive number"
                )
            )
        fields = {key: str(value) for key, value in record.items() if isinstance(value, _SCALAR)}
        columns = {
            "tumour" if k == "tumor_type" else k: fields[k] for k in fields if k not in _NOT_COLUMNS
        }
        roi = Roi(name, mpp=numbers.get("mpp"), columns=columns)
        if "width" in numbers and "height" in numbers:
            roi = replace(roi, width=int(numbers["width"]), height=int(numbers["height"]))
        images[record["id"]] = roi
    return images


def _categories(path: Path, records: list[Any], problems: Problems) -> dict[Any, int]:
    """Our class by the file's category id; 0 for an unknown one, which is one problem however many
    boxes it has."""
    labels: dict[Any, int] = {}
    for where, record in _records(path, "category", records, "id name", problems):
        labels[record["id"]] = _label_of(str(record["name"]))
        if not labels[record["id"]]:
            problems.append(
                DataError(f"{where}: unknown category '{record['name']}'", _CATEGORY_FIX)
            )
    return labels


def _figures(
    path: Path,
    records: list[Any],
    images: Mapping[Any, Roi],
    labels: Mapping[Any, int],
    problems: Problems,
) -> Iterator[_Figure]:
    for where, record in _records(
        path, "annotation", records, "id image_id category_id bbox", problems
    ):
        image, category, box = record["image_id"], record["category_id"], record["bbox"]
        if image not in images:
            problems.append(
                DataError(
                    f"{where}: there is no image {image!r}", "list its image, or drop the box"
                )
            )
        elif category not in labels:
            problems.append(DataError(f"{where}: unknown category {category!r}", _CATEGORY_FIX))
        elif len(box) != 4 or not all(map(_is_number, box)):
            problems.append(DataError(f"{where}: bbox is {box!r:.80}", "write four finite numbers"))
        elif labels[category]:
            yield _Figure(where, image, labels[category], tuple(map(float, box)))


def _choose(
    path: Path, figures: Sequence[_Figure], values: NDArray[Any], sizes: NDArray[Any]
) -> BoxFormat:
    """How the file writes boxes (N, 4), told from all of them; DataError where they speak for both
    ways or neither.

    A box speaks for x1 y1 x2 y2 where its corners are in order and it would, read as x y width
    height, reach over its image's edge by more than a figure's side. It speaks for x y width height
    where its corners are out of order. Near the image's origin it may read both ways: then it
    speaks for the reading in which it is MIDOG's 50 px square. Reaching over the edge by less says
    nothing: hundreds of boxes of the real files do.
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
            _name(figures[int(np.argmax(mask))]).removeprefix(f"{path}: ")
            for mask in (for_xyxy, for_xywh)
        )
        what = f"{path}: {for_xyxy.sum()} boxes read as x1 y1 x2 y2 ({corner})"
        raise DataError(f"{what} and {for_xywh.sum()} as x y width height ({length})", _BBOX_FIX)
    if figures and not for_xyxy.any() and not for_xywh.any():
        raise DataError(
            f"{path}: its {len(figures)} boxes read as x1 y1 x2 y2 and as x y width height",
            _BBOX_FIX,
        )
    return "xywh" if for_xywh.any() else "xyxy"


def _scan_csv(path: Path, text: str, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    header, lines = read_table(path, text)
    keys = ("x1", "y1", "x2", "y2") if "x1" in header else ("x", "y")
    if not {"file_name", *keys} <= set(header):
        raise DataError(
            f"{path}: its columns are {', '.join(header):.200}",
            "write file_name,x,y,label as header",
        )
    if len(keys) == 4 and bbox == "xywh":
        raise DataError(
            f"{path}: its header says x1,y1,x2,y2 and --bbox xywh", "drop --bbox, or mend the file"
        )
    problems: Problems = []
    images = {row["file_name"]: Roi(row["file_name"]) for _, row in lines if row["file_name"]}
    found = [_csv_figure(where, row, keys, problems) for where, row in lines]
    figures = [each for each in found if each]
    values = np.array([each.values for each in figures], dtype=np.float64).reshape(-1, len(keys))
    xyxy = values if len(keys) == 4 else squares_around(values)
    rois = _with_boxes(images, figures, xyxy, problems)
    return (
        Annotations(path, rois, "CSV boxes" if len(keys) == 4 else "CSV points", "xyxy"),
        problems,
    )


def _csv_figure(
    where: str, row: Mapping[str, str], keys: Sequence[str], problems: Problems
) -> _Figure | None:
    name, cells = row["file_name"], [row[key] for key in keys]
    label = _label_of(row["label"]) if "label" in row else MITOTIC_FIGURE
    if name and not any(cells):
        return None  # an ROI without figures has one line with its name alone
    try:
        values = tuple(map(float, cells))
    except ValueError:
        values = (np.nan,)
    if name and label and all(map(_is_number, values)):
        return _Figure(where, name, label, values)
    what, fix = f"unknown label {row.get('label')!r}", _CATEGORY_FIX
    if not name or label:
        what, fix = (
            f"{','.join(('file_name', *keys))} is {','.join((name, *cells)):.80}",
            "write a name and numbers",
        )
    problems.append(DataError(f"{where}: {what}", fix))
    return None


def _with_boxes(
    images: Mapping[Any, Roi], figures: Sequence[_Figure], xyxy: NDArray[Any], problems: Problems
) -> list[Roi]:
    """The images, each with its figures in file order; a box without area is a problem."""
    rows: dict[Any, list[int]] = {image: [] for image in images}
    sound = np.all(xyxy[:, 2:] > xyxy[:, :2], axis=1).tolist()
    for index, figure in enumerate(figures):
        if sound[index]:
            rows[figure.image].append(index)
        else:
            problems.append(DataError(f"{_name(figure)} has no area", _BBOX_FIX))
    labels = np.array([each.label for each in figures], dtype=np.int64)
    return [
        replace(roi, boxes=Boxes(xyxy[rows[image]], labels[rows[image]]))
        for image, roi in images.items()
    ]


def _name(figure: _Figure) -> str:
    return f"{figure.where}: [{', '.join(f'{value:g}' for value in figure.values)}]"


def _label_of(name: str) -> int:
    """1 or 2 for a category's or label's name or number, 0 for an unknown one."""
    return _LABELS.get(" ".join(name.lower().replace("-", " ").replace("_", " ").split()), 0)


def _is_number(value: Any) -> bool:
    """True for a finite number that no image is larger than; NaN compares false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9
