"""Files that list the figures of one image each, whose name they bear, read as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np

from midog.boxes import FIGURE_SIDE_UM, squares_around
from midog.data.annotations.figures import (
    Annotations,
    ClassTally,
    Figure,
    is_coordinate,
    values_of,
    with_boxes,
)
from midog.data.annotations.reader import AnnotationFile
from midog.data.csv_text import MOST_LINES
from midog.data.roi import Roi
from midog.data.text_file import Problems, file_name_in, read_text, wrong_name
from midog.errors import DataError
from midog.images.image import IMAGE_SUFFIXES
from midog.walk import files_below

_SHOWN = 5
_PLACES = ("images", "annotations")


@dataclass(frozen=True)
class Part:
    """A file of one image. path: the file. text: its text. image: the image's name, as an ROI's.
    role: what else its name states ("not mitosis"), "" for nothing."""

    path: Path
    text: str
    image: str
    role: str = ""


@dataclass(frozen=True, eq=False)
class PartScan:
    """What is gathered from file to file.

    file: all of them, as one. tally: their classes. figures, problems: in file order.
    notes: what was assumed, one line each. areas: by image, x1 y1 x2 y2 in px of each.
    """

    file: AnnotationFile
    tally: ClassTally
    figures: list[Figure] = field(default_factory=list)
    problems: Problems = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    areas: defaultdict[str, list[tuple[float, ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add_area(self, where: str, part: Part, name: str, box: tuple[float, ...]) -> None:
        """Note an area.

        Args:
            where, part, name: As of `add`.
            box: x1 y1 x2 y2, px.
        """
        self.tally.label_of(where, name)
        self.areas[part.image].append(box)

    def add(self, where: str, part: Part, name: str, x: object, y: object, fix: str) -> None:
        """Note a figure, or what is wrong with it.

        Args:
            where: the record, for messages.
            part: its file.
            name: of its class, as written.
            x, y: its place, px, as read; anything but a number is a problem.
            fix: what to do about that.
        """
        if len(self.figures) >= MOST_LINES:
            what = f"{self.file.path} lists over {MOST_LINES:,} figures"
            raise DataError(what, "use its images in several data folders")
        if not is_coordinate(x) or not is_coordinate(y):
            what = f"{where}: its place is {x!r:.40}, {y!r:.40}"
            self.problems.append(DataError(what, fix))
            return
        label = self.tally.label_of(where, name)
        if label is not None:
            values = float(cast("float", x)), float(cast("float", y))
            self.figures.append(Figure(where, part.image, label, values))


def read_parts(
    file: AnnotationFile,
    kind: str,
    scan_part: Callable[[PartScan, Part], None],
    *,
    endings: Iterable[str],
    roles: Mapping[str, str] | None = None,
    areas: bool = False,
) -> tuple[Annotations, Problems]:
    """Read the files of a set, as `Reader.read`, each with `scan_part`.

    An image belongs to the file of its name, with or without its ending, in the same folder below
    images/, or else of its name alone. Images without a file are left out, with a note.

    Args:
        file: with `parts`.
        kind: the format's name.
        scan_part: notes the figures of one file; may raise DataError.
        endings: what file names of the format end in, in lower case.
        roles: by an ending before that one, what it states: a file of each is the same image's.
        areas: whether the format has areas.
    """
    scan = PartScan(file, ClassTally(file, areas=areas))
    listed = _ImageNames.in_folder(file.images)
    owners: dict[tuple[str, str], Path] = {}
    images: dict[str, Roi] = {}
    for path in file.parts:
        try:
            bare, role = _bare_name(file.path, path, tuple(endings), roles or {})
            name = listed.named(bare, path)
            first = owners.setdefault((name, role), path)
            if first is not path:
                raise DataError(f"{first} and {path} are both of image {name}", "remove one")
            images.setdefault(name, Roi(name))
            text = read_text(path)
            scan.notes.extend(text.notes)
            scan_part(scan, Part(path, text.text, name, role))
        except DataError as error:
            scan.problems.append(error)
    scan.problems.extend(scan.tally.problems("class"))
    squares = squares_around(values_of(scan.figures, 2))
    rois = with_boxes(images, scan.figures, squares, scan.problems)
    rois = [
        replace(roi, areas=np.array(scan.areas[roi.file_name], np.float32).reshape(-1, 4))
        if roi.file_name in scan.areas
        else roi
        for roi in rois
    ]
    notes = [*file.notes, *scan.notes, *scan.tally.notes(), *listed.left_out(images, file)]
    how = f"points as squares of {FIGURE_SIDE_UM:g} um"
    return Annotations(file.path, rois, kind, how, tuple(notes), are_points=True), scan.problems


def _bare_name(
    root: Path, path: Path, endings: tuple[str, ...], roles: Mapping[str, str]
) -> tuple[str, str]:
    """The name of the image of a file, and what else its name states."""
    place = path.relative_to(root).as_posix() if path != root else path.name
    parts = file_name_in(place).split("/")
    while len(parts) > 1 and parts[0] in _PLACES:
        parts = parts[1:]
    name = "/".join(parts)
    ending = max((e for e in endings if name.lower().endswith(e)), key=len, default="")
    name = name[: len(name) - len(ending)]
    role = next((end for end in roles if name.lower().endswith(end)), "")
    name = name[: len(name) - len(role)]
    if reason := wrong_name(name):
        raise DataError(f"{path}: the name of its image {reason}", "name it as its image")
    return name, roles.get(role, "")


@dataclass(frozen=True, eq=False)
class _ImageNames:
    """The images of a data folder, by what a file may call them.

    names: of the images, below images/. by_place: by name in their folder, with and without their
    ending. by_stem: by name alone, likewise.
    """

    names: list[str]
    by_place: Mapping[str, set[str]]
    by_stem: Mapping[str, set[str]]

    @staticmethod
    def in_folder(folder: Path | None) -> _ImageNames:
        names: list[str] = []
        by_place: defaultdict[str, set[str]] = defaultdict(set)
        by_stem: defaultdict[str, set[str]] = defaultdict(set)
        if folder is not None and folder.is_dir():
            below = folder / "images" if (folder / "images").is_dir() else folder
            paths = (path for path in files_below(below, DataError))
            names = [
                file_name_in(path.relative_to(below).as_posix())
                for path in paths
                if path.suffix.lower() in IMAGE_SUFFIXES
            ]
        for name in names:
            whole = PurePosixPath(name)
            for key in (name, str(whole.with_suffix(""))):
                by_place[key].add(name)
            for key in (whole.name, whole.stem):
                by_stem[key].add(name)
        return _ImageNames(names, by_place, by_stem)

    def named(self, bare: str, path: Path) -> str:
        """The image that a file is of; its own name where there is none.

        Raises:
            DataError: several images are of that name.
        """
        fitting = self.by_place.get(bare) or self.by_stem.get(PurePosixPath(bare).name) or {bare}
        if len(fitting) > 1:
            what = f"{path}: {len(fitting)} images are named so: {_some(sorted(fitting))}"
            raise DataError(what, "name it as its image with its ending, in a folder of that name")
        return next(iter(fitting))

    def left_out(self, images: Iterable[str], file: AnnotationFile) -> list[str]:
        """A line on the images that no file is of, where a folder of files was read."""
        rest = sorted(set(self.names) - set(images))
        if not rest or file.parts == (file.path,):
            return []
        what = f"{file.path.name}: {len(rest)} images have no file and are left out: {_some(rest)}"
        return [f"{what}; an empty file states that an image has no figure"]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
