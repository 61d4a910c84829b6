"""The lines of a CSV of figures, whether it lists their centres or their boxes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from midog.boxes import MITOTIC_FIGURE
from midog.data.annotations.class_names import IGNORED
from midog.data.annotations.csv_layout import Layout, layout_of, why_no_layout
from midog.data.annotations.figures import ClassTally, Figure, is_coordinate
from midog.data.annotations.reader import AnnotationFile
from midog.data.columns import (
    SIZE_ALIKE,
    alias_note,
    find_columns,
    refuse_alike,
    refuse_doubled,
    squeeze,
    unused_note,
)
from midog.data.csv_text import Cells, Table, number_fix, number_in, read_table
from midog.data.facts import FACTS, with_facts
from midog.data.roi import Roi
from midog.data.text_file import Problems, file_name_in, wrong_name
from midog.errors import DataError

"""No box around a figure is as wide: 125 um at 0.25."""

_LARGEST_SIDE_PX = 500
"""No box around a figure is as wide: 125 um at 0.25."""
_YES, _NO = ("1", "1.0", "true", "yes"), ("", "0", "0.0", "false", "no")


@dataclass(frozen=True, eq=False)
class ScannedFigures:
    """What a CSV of figures holds.

    layout: where its columns hold the places. images: ROIs without boxes by file name.
    figures: in file order. problems, notes: what is wrong, and what was assumed.
    """

    layout: Layout
    images: dict[str, Roi]
    figures: list[Figure]
    problems: Problems
    notes: list[str]


@dataclass(frozen=True)
class _Columns:
    """Which columns hold what, by our name of it; names as the header writes them."""

    file_name: str
    places: Mapping[str, str]
    facts: Mapping[str, str]
    label: str = ""
    ids: bool = False
    ignored: str = ""


@dataclass(frozen=True, eq=False)
class _Scan:
    """What is gathered from line to line.

    sizes: lines that contradict an earlier one on the size of their image. of_boxes: for each
    figure, whether its columns width and height are the size of its box.
    """

    columns: _Columns
    tally: ClassTally
    facts: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    problems: Problems = field(default_factory=list)
    sizes: Problems = field(default_factory=list)
    of_boxes: list[bool] = field(default_factory=list)


def scan_figures(file: AnnotationFile) -> ScannedFigures:
    """Read a CSV of figures.

    Args:
        file: a CSV with a column of file names, the columns of one of LAYOUTS, and maybe a class
            and facts of the image. An ROI without figures has one line with its name alone. Figures
            of a file without a class column are mitotic figures.

    Raises:
        DataError: where a column is missing or not understood.
    """
    table = read_table(file.path, file.text)
    layout, columns = _columns_of(file, table)
    scan = _Scan(columns, ClassTally(file))
    scan.problems.extend(table.problems)
    for where, cells in table.lines:
        _scan_line(scan, where, cells)
    scan.problems.extend(scan.tally.problems("label"))
    facts = _facts_of_images(scan)
    images = {
        name: with_facts(
            Roi(name),
            {key: text for key, (text, _) in stated.items() if key in facts},
            f"{file.path}: {name}",
            scan.problems,
        )
        for name, stated in scan.facts.items()
    }
    _refuse_other_units(file, layout, scan.figures)
    used = _used(columns, facts)
    found = {"file_name": columns.file_name, **columns.places}
    found |= {key: columns.facts[key] for key in facts}
    if columns.label and not columns.ids:
        found["label"] = columns.label
    notes = [
        *table.notes,
        *alias_note(file.path.name, found),
        *unused_note(file.path.name, table.header, used),
        *_class_notes(file, columns, bool(scan.figures)),
        *scan.tally.notes(),
    ]
    return ScannedFigures(layout, images, scan.figures, scan.problems, notes)


def _columns_of(file: AnnotationFile, table: Table) -> tuple[Layout, _Columns]:
    """Which columns hold what; DataError where one is lacking, or would be lost."""
    header = table.header
    fix = "write file_name,x,y,label as header, or file_name,x1,y1,x2,y2,label"
    layout = layout_of(header)
    names = find_columns(header, ["file_name"])
    if layout is None or not names:
        why = why_no_layout(header) or f"its columns are {', '.join(header):.200}"
        raise DataError(f"{file.path}: {why}", fix)
    rest = [name for name in header if name not in layout[1].values()]
    rest.remove(names["file_name"])
    refuse_doubled(file.path, rest, ["label", "mpp"])
    further = find_columns(rest, ["label", "category_id", "ignored", *FACTS])
    label = further.get("label", further.get("category_id", ""))
    columns = _Columns(
        file_name=names["file_name"],
        places=layout[1],
        facts={key: column for key, column in further.items() if key in FACTS},
        label=label,
        ids="label" not in further or squeeze(label) == "label",
        ignored=further.get("ignored", ""),
    )
    used = _used(columns, columns.facts)
    stated = {*further, *(["label"] if label else [])}
    lacking = [key for key in ("label", "patient", "scanner", "mpp") if key not in stated]
    refuse_alike(file.path, header, used, lacking)
    if layout[0].kind == "points":
        _refuse_sizes(file, [name for name in header if name not in used])
    return layout[0], columns


def _refuse_sizes(file: AnnotationFile, left: Sequence[str]) -> None:
    """Raise DataError for a column beside points that looks like the size of figures."""
    for name in left:
        if re.search(SIZE_ALIKE, squeeze(name)):
            raise DataError(
                f"{file.path}: its column {name!r} looks like the size of figures and would not be"
                " used",
                "write boxes as x,y,width,height or x1,y1,x2,y2, or remove it",
            )


def _scan_line(scan: _Scan, where: str, cells: Cells) -> None:
    columns, problems, facts = scan.columns, scan.problems, scan.columns.facts
    name = file_name_in(cells[columns.file_name])
    if reason := wrong_name(name):
        problems.append(DataError(f"{where}: {columns.file_name} {reason}", "write a file name"))
        return
    _note_facts(scan, where, name, cells)
    places = [cells[column] for column in columns.places.values()]
    label = cells[columns.label] if columns.label else ""
    if not any(places):
        if label:
            what = f"{where}: a figure of class {label!r} has no place"
            problems.append(DataError(what, "write its coordinates, or the file name alone"))
        return  # an ROI without figures
    numbers = [number_in(text) for text in places]
    values = tuple(np.nan if number is None else number for number in numbers)
    if not all(map(is_coordinate, values)):
        header = ",".join((columns.file_name, *columns.places.values()))
        line = ",".join((name, *places))
        wrong = next(
            text for text, value in zip(places, values, strict=True) if not is_coordinate(value)
        )
        problems.append(DataError(f"{where}: {header} is {line:.80}", number_fix(wrong)))
        return
    ignored = cells[columns.ignored].lower() if columns.ignored else ""
    if ignored not in _YES + _NO:
        what = f"{where}: {columns.ignored} is {ignored!r}"
        problems.append(DataError(what, "write 1 for a box to ignore, else 0"))
        return
    known = scan.tally.label_of(where, label, ids=columns.ids) if columns.label else MITOTIC_FIGURE
    if known is not None:
        known = IGNORED if ignored in _YES else known
        scan.figures.append(Figure(where, name, known, values))
        side = [number_in(cells[facts[key]]) for key in ("width", "height") if key in facts]
        size = [values[2] - values[0], values[3] - values[1]] if len(values) == 4 else None
        scan.of_boxes.append(size == side)


def _note_facts(scan: _Scan, where: str, name: str, cells: Cells) -> None:
    """Keep what a line states of its image; another line that states something else is a
    problem."""
    stated = scan.facts.setdefault(name, {})
    for key, column in scan.columns.facts.items():
        text = cells[column]
        if not text:
            continue
        first, place = stated.setdefault(key, (text, where))
        if first != text:
            what = f"{where} ({name}): {column} is {text!r}, and {first!r} in {place}"
            problems = scan.sizes if key in ("width", "height") else scan.problems
            problems.append(DataError(what, "state one of an image"))
            stated[key] = (text, where)  # one problem for each change, not for each line


def _facts_of_images(scan: _Scan) -> Collection[str]:
    """The facts that are of images: width and height may be those of the boxes."""
    facts = scan.columns.facts
    if scan.of_boxes and all(scan.of_boxes):
        return [key for key in facts if key not in ("width", "height")]
    scan.problems.extend(scan.sizes)
    return facts.keys()


def _refuse_other_units(file: AnnotationFile, layout: Layout, figures: Sequence[Figure]) -> None:
    """Raise DataError where places cannot be px, or a size not a figure's."""
    if not figures:
        return
    values = np.array([figure.values for figure in figures])
    if (values >= 0).all() and (values <= 1).all() and (values % 1 != 0).any():
        raise DataError(
            f"{file.path}: all coordinates are from 0 to 1, as shares of the image's size are",
            "write them in px",
        )
    if layout.kind in ("sized", "centred") and np.median(values[:, 2:]) > _LARGEST_SIDE_PX:
        raise DataError(
            f"{file.path}: half of its boxes are over {_LARGEST_SIDE_PX} px wide or high, as images"
            " are",
            "name the size of images image_width,image_height",
        )


def _used(columns: _Columns, facts: Collection[str]) -> set[str]:
    used = {columns.file_name, *columns.places.values(), columns.label, columns.ignored}
    return used | {columns.facts[key] for key in facts}


def _class_notes(file: AnnotationFile, columns: _Columns, any_figures: bool) -> list[str]:
    if not columns.label and any_figures:
        return [f"{file.path.name}: no column of classes, so that all are mitotic figures"]
    return []
