"""The files of a data folder: its annotation file, its split and the images of its ROIs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePath

from midog.data.annotations.other_kinds import kind_of_file
from midog.data.annotations.read import (
    has_known_suffix,
    looks_like_annotations,
    may_hold_annotations,
    why_none,
)
from midog.data.annotations.reader import AnnotationFile
from midog.data.annotations.registry import formats_in_words
from midog.data.roi import Roi
from midog.data.split_file import compact_names
from midog.data.text_file import file_name_in, read_text
from midog.errors import DataError
from midog.images.image import IMAGE_SUFFIXES

_MOST_SEEN = 1000


def locate(path: Path | str, annotations: Path | str | None = None) -> tuple[Path, Path]:
    """Find the annotation file of a data folder.

    Args:
        path: the folder, or the annotation file itself.
        annotations: the file to take; None takes the only one in the folder.

    Returns:
        The folder and the annotation file.

    Raises:
        DataError: where there is none, or several to choose from.
    """
    path = Path(path)
    if annotations is not None and not Path(annotations).is_file():
        raise DataError(
            f"there is no annotation file {annotations}", f"give a {formats_in_words()}"
        )
    if path.is_file():
        return path.parent, Path(annotations or path)
    if not path.is_dir():
        raise DataError(f"there is no data folder {path}", _remedy(path))
    if annotations is not None:
        return path, Path(annotations)
    candidates = _candidates(path)
    if len(candidates) > 1:
        names = ", ".join(file.name for file in candidates)
        raise DataError(
            f"{path}/ has {len(candidates)} annotation files: {names}",
            "choose one with {data.annotations}",
            {"data.annotations": None},
        )
    if not candidates:
        raise _no_annotations(path)
    return path, candidates[0]


def default_split(path: Path | str) -> Path | None:
    """The split.csv of a data folder, None where there is none."""
    file = Path(path) / "split.csv"
    return file if file.is_file() else None


def with_images(rois: Sequence[Roi], folder: Path) -> list[Roi]:
    """The ROIs with the paths of their images.

    Args:
        rois: ROIs without paths.
        folder: images are looked for in its images/, then in itself, by full, then by bare name;
            letters with accents are found however they are encoded.
    """
    names_in = cache(_names_in)

    def image_of(name: str) -> Path | None:
        places = (
            (place, variant)
            for variant in (name, PurePath(name).name)
            for place in (folder / "images", folder)
        )
        for place, variant in places:
            if os.path.isfile(place / variant):  # False, not an error, for any name
                return place / variant
            parent = place / PurePath(variant).parent
            other = names_in(parent).get(PurePath(variant).name) if not variant.isascii() else None
            if other is not None and os.path.isfile(parent / other):
                return parent / other
        return None

    return [replace(roi, path=image_of(roi.file_name)) for roi in rois]


def _names_in(folder: Path) -> dict[str, str]:
    """The names in a folder as annotation files name them, and as the folder does."""
    try:
        return {file_name_in(name): name for name in sorted(os.listdir(folder))}
    except OSError:
        return {}


def _candidates(path: Path) -> list[Path]:
    """The files of a folder that may hold annotations; JSON of something else only where there is
    no other."""
    files = sorted(file for file in path.iterdir() if has_known_suffix(file))
    files = [file for file in files if may_hold_annotations(file)]
    likely = [file for file in files if looks_like_annotations(file)] if len(files) > 1 else files
    return likely or files


def _no_annotations(path: Path) -> DataError:
    """The error of a folder without annotations; it names the files that may be meant as such."""
    other = [(file, kind) for file in _further_files(path) if (kind := kind_of_file(file))]
    if other:
        file, kind = other[0]
        same = sum(1 for _, its in other if its is kind) - 1
        more = f" (and {same} more of it)" if same else ""
        what = f"{file.relative_to(path)}{more} is {kind.name}, which is not read"
        return DataError(f"no annotation file in {path}/: {what}", kind.way)
    files = sorted(file for file in path.iterdir() if has_known_suffix(file))
    others = [file for file in files if file.name != "split.csv" and file.name[0] != "."]
    if others:
        names = compact_names(file.name for file in others)
        why = _why_none(others[0])
        return DataError(
            f"no annotation file in {path}/: {names} is none{f': {why}' if why else ''}",
            f"give a {formats_in_words()}",
        )
    return DataError(f"no annotation file in {path}/", _remedy(path))


def _why_none(file: Path) -> str:
    try:
        return why_none(AnnotationFile(file, read_text(file).text))
    except DataError:
        return ""


def _further_files(path: Path) -> Iterator[Path]:
    """The files of a folder and of the folders in it that are no images and no split."""
    folders = [path, *sorted(inside for inside in path.iterdir() if inside.is_dir())]
    for folder in folders:
        for file in sorted(folder.iterdir())[:_MOST_SEEN]:
            is_other = file.suffix.lower() not in IMAGE_SUFFIXES and file.name != "split.csv"
            if is_other and not file.name.startswith(".") and file.is_file():
                yield file


def _remedy(path: Path) -> str:
    return (
        f"download with `midog data download midog21 {path}` or draw with `midog data draw {path}`"
    )
