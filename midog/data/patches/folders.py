"""Patches as pictures in folders of their classes, split by folders, by a CSV, or by case."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from midog.data.patches.deal import deal_slides
from midog.data.patches.patch_set import (
    MOST_PATCHES,
    PATCH_ROLES,
    PatchData,
    PatchSet,
    settled,
)
from midog.data.split_file import Split, compact_names, problems_within, scan_places
from midog.data.text_file import raise_problems
from midog.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
_SPLIT_CSV = "split.csv"


@dataclass(frozen=True)
class Folders:
    """How class folders are read.

    classes: names of the two folders that are read, that of label 1 last; none: the only two.
    split: a CSV with file_name, split and maybe patient; None: split.csv of the folder, if any.
    slide_pattern: regular expression whose first group, or all of it, is the slide or case in the
    start of a file's name; "": names say none. shares: of val and test, where slides are drawn.
    seed: of that draw.
    """

    classes: tuple[str, ...] = ()
    split: Path | None = None
    slide_pattern: str = ""
    shares: tuple[float, float] = (0.15, 0.25)
    seed: int = 0


@dataclass(frozen=True)
class _Picture:
    """A picture. name: below the folder that is read. columns: as of PatchSet."""

    path: Path
    name: str
    label: int
    slide: str
    role: str = ""
    columns: Mapping[str, str] | None = None


def read_folders(folder: Path, how: Folders) -> PatchData:
    """Read which pictures there are in DIR/{train,valid,test}/CLASS/ or in DIR/CLASS/.

    Without folders of parts the parts are those of a CSV, else slides are dealt to them by a seed,
    even in both classes.

    Args:
        folder: DIR.
        how: Of its classes and parts.

    Raises:
        DataError: There are no such folders, or nothing says which pictures are of one slide.
        ConfigError: The pattern is no regular expression, or no name fits it.
    """
    parts = {role: _part(folder, name) for role, name in PATCH_ROLES.items()}
    by_role = {role: part for role, part in parts.items() if part is not None}
    classes = _classes(next(iter(by_role.values()), folder), how.classes)
    pattern = _compiled(how.slide_pattern)
    if by_role:
        pictures = [
            replace(picture, role=role)
            for role, part in by_role.items()
            for picture in _pictures(folder, part, classes, pattern)
        ]
    else:
        pictures = _split(folder, _pictures(folder, folder, classes, pattern), how)
    roles = [role for role in PATCH_ROLES if any(one.role == role for one in pictures)]
    sets = [_set(role, [one for one in pictures if one.role == role]) for role in roles]
    return settled(str(folder), classes, sets)


def _part(folder: Path, name: str) -> Path | None:
    """The folder of a part; valid may be named val."""
    names = [name, "val"] if name == "valid" else [name]
    return next((folder / one for one in names if (folder / one).is_dir()), None)


def _classes(folder: Path, asked: tuple[str, ...]) -> tuple[str, str]:
    """The names of the two class folders."""
    there = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if missing := [name for name in asked if name not in there]:
        raise DataError(
            f"{folder} has no folder {missing[0]}; its folders are {', '.join(there) or 'none'}",
            "name two of them with {task.classes}",
            {"task.classes": None},
        )
    if not asked and len(there) != 2:
        has = f"the folders {', '.join(there):.300}" if there else "no folder"
        raise DataError(
            f"{folder} holds {has}, and patches are of two classes",
            "make a folder for each class, or name two with {task.classes}, that of label 1 last",
            {"task.classes": None},
        )
    first, second = asked or there
    return first, second


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ConfigError(
            f"task.slide_pattern {pattern!r} is no regular expression: {error}",
            "write for example ^([^_]+)_ for what precedes the first _",
        ) from None


def _pictures(
    folder: Path, part: Path, classes: Sequence[str], pattern: re.Pattern[str] | None
) -> list[_Picture]:
    pictures = []
    for label, name in enumerate(classes):
        if not (part / name).is_dir():
            raise DataError(f"{part} has no folder {name}", "make a folder for each class")
        for path in sorted((part / name).iterdir()):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                slide = _slide_in(path, pattern)
                pictures.append(_Picture(path, path.relative_to(folder).as_posix(), label, slide))
    if not 1 <= len(pictures) <= MOST_PATCHES:
        raise DataError(
            f"{part} holds {len(pictures)} pictures in its class folders",
            f"put PNG, JPEG, BMP or TIFF files there, at most {MOST_PATCHES:,}",
        )
    return pictures


def _slide_in(path: Path, pattern: re.Pattern[str] | None) -> str:
    """The slide that a file's name states; "" without a pattern."""
    if pattern is None:
        return ""
    match = pattern.match(path.name)
    slide = match.group(1 if pattern.groups else 0) if match else ""
    if not slide:
        raise ConfigError(
            f"task.slide_pattern {pattern.pattern!r} finds no slide in {path.name}",
            "write one that all names fit, from their start",
        )
    return slide


def _split(folder: Path, pictures: list[_Picture], how: Folders) -> list[_Picture]:
    """The pictures with their parts, of a CSV or of slides that are dealt."""
    listed = how.split or folder / _SPLIT_CSV
    if how.split is not None or listed.is_file():
        return _by_table(listed, pictures)
    if not how.slide_pattern:
        raise DataError(
            f"{folder} has no folders of parts and no {_SPLIT_CSV}, and nothing says which pictures"
            " are of one slide",
            "name the slide in file names with {task.slide_pattern}, such as ^([^_]+)_, or give a"
            " CSV of file_name,patient,split with {data.split}",
            {"task.slide_pattern": None, "data.split": None},
        )
    slides, labels = [one.slide for one in pictures], np.array([one.label for one in pictures])
    val, test = how.shares
    parts = deal_slides(slides, labels, val=val, test=test, seed=how.seed)
    return [replace(one, role=parts[one.slide]) for one in pictures]


def _by_table(path: Path, pictures: list[_Picture]) -> list[_Picture]:
    """The pictures that a CSV lists, with their parts, slides and further columns."""
    if not path.is_file():
        raise DataError(f"no split file {path}", "give a CSV of file_name,patient,split")
    rows, problems, notes = scan_places(path, ("file_name", "split"))
    has_slides = any(row.patient for row in rows)
    if has_slides:
        problems += problems_within(Split(str(path), tuple(rows), tuple(notes)))
    raise_problems(problems)
    for line in notes:
        logger.info("%s", line)
    by_name = {one.name: one for one in pictures}
    bare: dict[str, list[_Picture]] = {}
    for one in pictures:
        bare.setdefault(one.path.name, []).append(one)
    placed: dict[str, _Picture] = {}
    for row in rows:
        one = by_name.get(row.file_name) or _only(path, row.file_name, bare)
        if one.name in placed:
            raise DataError(f"{path} lists {one.name} twice", "list each picture once")
        slide = row.patient or one.slide
        columns = {"scanner": row.scanner, **row.columns}
        placed[one.name] = replace(one, role=row.split, slide=slide, columns=columns)
    if left := [one.name for one in pictures if one.name not in placed]:
        logger.warning(
            "%s does not list %d of %d pictures, which are left out (%s)",
            path,
            len(left),
            len(pictures),
            compact_names(left, 3),
        )
    return list(placed.values())


def _only(path: Path, name: str, bare: Mapping[str, list[_Picture]]) -> _Picture:
    """The only picture of a bare name."""
    matches = bare.get(name, [])
    if len(matches) != 1:
        what = "no picture has that name" if not matches else "several class folders have one"
        raise DataError(f"{path} lists {name}: {what}", "write CLASS/NAME as file_name")
    return matches[0]


def _set(role: str, pictures: Sequence[_Picture]) -> PatchSet:
    keys = dict.fromkeys(key for one in pictures for key in one.columns or {})
    columns = {key: [(one.columns or {}).get(key, "") for one in pictures] for key in keys}
    return PatchSet(
        role,
        0,
        np.array([one.label for one in pictures], np.int64),
        tuple(one.slide for one in pictures) if all(one.slide for one in pictures) else (),
        [one.name for one in pictures],
        tuple(one.path for one in pictures),
        {key: values for key, values in columns.items() if any(values)},
    )
