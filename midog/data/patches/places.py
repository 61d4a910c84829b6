"""An index of places in slides: where labelled patches lie, not their pixels; written and read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.data.csv_text import number_in, read_table, spreadsheet_cell, text_of_cell
from midog.data.patches.patch_set import (
    LARGEST_SIDE,
    MOST_PATCHES,
    PATCH_ROLES,
    PatchData,
    PatchSet,
    settled,
)
from midog.data.text_file import read_text
from midog.errors import DataError
from midog.files import read_bytes, replacing_folder
from midog.json_text import is_number, parse_json, to_json
from midog.mpp import in_range
from midog.names import real_path

INDEX, SLIDES, PLACES = "index.json", "slides.csv", "places.csv"
CLASSES = ("normal", "tumour")
_FORMAT = 1
_SLIDE_COLUMNS = ("slide", "path", "width", "height", "mpp", "patient", "scanner", "split", "truth")
_PLACE_COLUMNS = ("slide", "x", "y", "label", "tumour", "tissue")
_LARGEST = 1 << 30  # bytes of places.csv
_FIX = "sample the slides again"


@dataclass(frozen=True, eq=False)
class SlidePlaces:
    """Places in one slide.

    Attributes:
        path: The slide's file.
        name: It is listed by.
        size: (width, height), level-0 px.
        mpp: um/px of level 0, the mean of x and y.
        patient, scanner: "" where not known.
        split: train, val or test.
        truth: File of the labels; None: there is none, and it is without tumour.
        centres: (N, 2) float64 x y, level-0 px.
        labels: (N,) int64: 1 tumour, 0 normal.
        shares: (N, 2) float64: how much of a patch is tumour, and tissue.
    """

    path: Path
    name: str
    size: tuple[int, int]
    mpp: float
    patient: str
    scanner: str
    split: str
    truth: Path | None
    centres: NDArray[np.float64]
    labels: IntArray
    shares: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InSlides:
    """Where the patches of a `PatchSet` lie.

    slides: (N,) int64, number of the slide of each among `paths`. centres: (N, 2) float64 x y,
    level-0 px. tumour: (N,) float64, how much of each is tumour. paths, sizes, mpps: of the slides.
    truths: files of their truth, None for one without tumour. mpp: um/px of the patches. about: how
    places were chosen, as `write_places` was given it.
    """

    slides: IntArray
    centres: NDArray[np.float64]
    tumour: NDArray[np.float64]
    paths: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    mpps: tuple[float, ...]
    truths: tuple[Path | None, ...]
    mpp: float
    about: Mapping[str, Any]


def write_places(
    folder: Path, slides: Sequence[SlidePlaces], about: Mapping[str, Any], *, side: int, mpp: float
) -> None:
    """Write an index: index.json, slides.csv and places.csv, all or none.

    Args:
        folder: New, or that of an index, which is replaced.
        slides: With their places.
        about: Further plain values for index.json, such as how places were chosen.
        side: Of a patch, px.
        mpp: um/px of a patch.

    Raises:
        DataError: The folder holds other files, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / INDEX).is_file():
        raise DataError(f"{folder} holds other files than an index of places", "name a new folder")
    place = real_path(folder)
    with replacing_folder(place, DataError) as part:
        index: dict[str, Any] = {"format": _FORMAT, "classes": [*CLASSES], "side": side, "mpp": mpp}
        index["about"] = dict(about)
        (part / INDEX).write_text(to_json(index), encoding="utf-8")
        rows = [
            [
                own.name,
                os.path.relpath(real_path(own.path), place),
                *own.size,
                own.mpp,
                own.patient,
                own.scanner,
                own.split,
                "" if own.truth is None else os.path.relpath(real_path(own.truth), place),
            ]
            for own in slides
        ]
        _write_table(part / SLIDES, _SLIDE_COLUMNS, rows)
        _write_table(part / PLACES, _PLACE_COLUMNS, _place_rows(slides))


def is_index(folder: Path) -> bool:
    """Whether a folder is an index of places."""
    return (folder / INDEX).is_file() and (folder / PLACES).is_file()


def read_places(folder: Path, classes: tuple[str, ...] = ()) -> PatchData:
    """Read an index of places as labelled patches.

    Args:
        folder: As `write_places` makes it.
        classes: Names of labels 0 and 1; none: normal and tumour.

    Raises:
        DataError: It is damaged, its slides are not where it says, or a role lacks a class.
    """
    side, mpp, about = _read_index(folder / INDEX)
    slides = _read_slides(folder)
    names = [row["slide"] for row in slides]
    number, numbers, labels = _read_rows(folder / PLACES, names)
    roles = np.array([row["split"] for row in slides])
    sets = []
    for role in PATCH_ROLES:
        chosen = np.flatnonzero(roles[number] == role)
        if len(chosen):
            own = numbers[chosen], number[chosen], labels[chosen]
            sets.append(_set(role, side, mpp, about, slides, *own))
    named = (classes[0], classes[1]) if classes else CLASSES
    return settled(str(folder), named, sets)


def _set(
    role: str,
    side: int,
    mpp: float,
    about: Mapping[str, Any],
    slides: Sequence[Mapping[str, Any]],
    numbers: NDArray[np.float64],
    of_slide: IntArray,
    labels: IntArray,
) -> PatchSet:
    used, within = np.unique(of_slide, return_inverse=True)
    own = [slides[int(one)] for one in used]
    units = [row["patient"] or row["slide"] for row in own]
    names = [
        f"{own[slide]['slide']}:{x:.0f},{y:.0f}"
        for slide, (x, y) in zip(within.tolist(), numbers[:, :2].tolist(), strict=True)
    ]
    columns = {
        "scanner": [own[slide]["scanner"] for slide in within.tolist()],
        "slide": [own[slide]["slide"] for slide in within.tolist()],
    }
    where = InSlides(
        np.asarray(within, np.int64),
        np.ascontiguousarray(numbers[:, :2]),
        np.ascontiguousarray(numbers[:, 2]),
        tuple(row["path"] for row in own),
        tuple(row["size"] for row in own),
        tuple(row["mpp"] for row in own),
        tuple(row["truth"] for row in own),
        mpp,
        about,
    )
    return PatchSet(
        role,
        side,
        labels,
        tuple(units[slide] for slide in within.tolist()),
        names,
        where.paths,
        {name: values for name, values in columns.items() if any(values)},
        in_slides=where,
    )


def _read_index(path: Path) -> tuple[int, float, dict[str, Any]]:
    """Side and um/px of patches, and how they were chosen."""
    text = read_text(path).text
    tree = parse_json(text.encode(), str(path), DataError, _FIX)
    if not isinstance(tree, dict) or tree.get("format") != _FORMAT:
        raise DataError(f"{path} is no index of places of format {_FORMAT}", _FIX)
    side: Any = tree.get("side")
    mpp: Any = tree.get("mpp")
    is_side = isinstance(side, int) and 8 <= side <= LARGEST_SIDE
    if not is_side or not is_number(mpp) or not in_range(float(mpp)):
        raise DataError(f"{path} states a side of {side} px and {mpp} um/px", _FIX)
    about = tree.get("about")
    return int(side), float(mpp), about if isinstance(about, dict) else {}


def _read_slides(folder: Path) -> list[dict[str, Any]]:
    path = folder / SLIDES
    table = read_table(path, read_text(path).text)
    if missing := [name for name in _SLIDE_COLUMNS if name not in table.header]:
        raise DataError(f"{path} has no column {missing[0]}", _FIX)
    slides: list[dict[str, Any]] = []
    for where, cells in table.lines:
        width, height, mpp = (number_in(cells[name]) for name in ("width", "height", "mpp"))
        if not width or not height or not mpp or not in_range(mpp):
            raise DataError(f"{where}: width, height or mpp is no size", _FIX)
        if cells["split"] not in PATCH_ROLES:
            raise DataError(
                f"{where}: split is {cells['split']!r}", f"write {', '.join(PATCH_ROLES)}"
            )
        slide = folder / text_of_cell(cells["path"])
        if not slide.exists():
            raise DataError(
                f"{where}: no slide {slide}", "move the slides back, or sample them again"
            )
        row = {name: text_of_cell(cells[name]) for name in ("slide", "patient", "scanner")}
        truth = text_of_cell(cells["truth"])
        further = {
            "path": slide,
            "size": (int(width), int(height)),
            "mpp": mpp,
            "split": cells["split"],
            "truth": folder / truth if truth else None,
        }
        slides.append({**row, **further})
    names = [row["slide"] for row in slides]
    if len(set(names)) < len(names):
        raise DataError(f"{path} lists a slide twice", _FIX)
    return slides


def _read_rows(path: Path, names: Sequence[str]) -> tuple[IntArray, NDArray[np.float64], IntArray]:
    """Of each place: the number of its slide, (N,); x, y and how much of it is tumour, (N, 3); and
    its label, (N,)."""
    text = read_bytes(path, DataError, limit=_LARGEST).decode("utf-8", "replace")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or tuple(rows[0]) != _PLACE_COLUMNS:
        raise DataError(f"{path} has not the columns {','.join(_PLACE_COLUMNS)}", _FIX)
    if not 1 < len(rows) <= MOST_PATCHES:
        raise DataError(f"{path} lists {len(rows) - 1} places", "sample 1 to 10,000,000")
    number_of = {spreadsheet_cell(name): number for number, name in enumerate(names)}
    slides, values = np.empty(len(rows) - 1, np.int64), np.empty((len(rows) - 1, 4))
    for line, row in enumerate(rows[1:]):
        try:
            slides[line] = number_of[row[0]]
            values[line] = [float(cell) for cell in row[1:5]]
        except (KeyError, ValueError, IndexError):
            raise DataError(
                f"{path} line {line + 2} is no place: {','.join(row):.80}", _FIX
            ) from None
    wrong = ~np.isfinite(values).all(axis=1) | ~np.isin(values[:, 2], (0, 1))
    if wrong.any():
        raise DataError(f"{path} line {int(wrong.argmax()) + 2} is no place of label 0 or 1", _FIX)
    return slides, values[:, [0, 1, 3]], values[:, 2].astype(np.int64)


def _place_rows(slides: Sequence[SlidePlaces]) -> list[list[Any]]:
    return [
        [own.name, f"{x:.2f}", f"{y:.2f}", label, f"{tumour:.3f}", f"{tissue:.3f}"]
        for own in slides
        for (x, y), label, (tumour, tissue) in zip(
            own.centres.tolist(), own.labels.tolist(), own.shares.tolist(), strict=True
        )
    ]


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow([spreadsheet_cell(c) if isinstance(c, str) else c for c in row])
