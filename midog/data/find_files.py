"""The files of a data folder: its annotation file, its split and the images of its ROIs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from midog.data.annotations.other_kinds import kind_of_file
from midog.data.annotations.read import (
    has_known_suffix,
    is_database,
    looks_like_annotations,
    may_hold_annotations,
    parts_in,
    reader_named,
    why_none,
)
from midog.data.annotations.reader import AUTO, AnnotationFile
from midog.data.annotations.registry import formats_in_words
from midog.data.split_file import compact_names
from midog.data.text_file import read_text
from midog.errors import DataError
from midog.images.image import IMAGE_SUFFIXES

logger = logging.getLogger(__name__)

_MOST_SEEN = 1000


def locate(
    path: Path | str, annotations: Path | str | None = None, annotations_format: str = AUTO
) -> tuple[Path, Path]:
    """Find the annotation file of a data folder.

    Args:
        path: the folder, or the annotation file itself.
        annotations: the file to take, or the folder of files of one image each; None takes the only
            one in the folder, or else such files in it, in its annotations/ or its images/.
        annotations_format: as `read_annotations`.

    Returns:
        The folder and the annotation file, or the folder of annotation files.

    Raises:
        DataError: where there is none, or several to choose from.
    """
    path = Path(path)
    asked = reader_named(annotations_format)
    if annotations is not None and not Path(annotations).exists():
        raise DataError(
            f"there is no annotation file {annotations}", f"give a {formats_in_words()}"
        )
    if path.is_file():
        return path.parent, Path(annotations or path)
    if not path.is_dir():
        raise DataError(f"there is no data folder {path}", _remedy(path))
    if annotations is not None:
        return path, Path(annotations)
    if asked is not None and asked.per_image:
        return path, _place_of_parts(path, annotations_format) or path
    candidates = _candidates(path)
    if len(candidates) > 1:
        names = ", ".join(file.name for file in candidates)
        raise DataError(
            f"{path}/ has {len(candidates)} annotation files: {names}",
            "choose one with {data.annotations}",
            {"data.annotations": None},
        )
    if not candidates:
        parts = _place_of_parts(path, annotations_format)
        if parts is None:
            raise _no_annotations(path)
        return path, parts
    return path, candidates[0]


def default_split(path: Path | str) -> Path | None:
    """The split.csv of a data folder, None where there is none."""
    file = Path(path) / "split.csv"
    return file if file.is_file() else None


def _place_of_parts(path: Path, annotations_format: str) -> Path | None:
    """The folder that holds files of one image each: annotations/ or images/ of a data folder, or
    itself; None where none does.

    Raises:
        DataError: several do.
    """
    inside = [path / "annotations", path / "images"]
    places = [place for place in inside if place.is_dir() and parts_in(place, annotations_format)]
    own = [part for part in parts_in(path, annotations_format) if part.parent == path]
    if len(places) + bool(own) > 1:
        names = ", ".join(f"{place}/" for place in [*places, *[path] * bool(own)])
        raise DataError(
            f"{names} have files of annotations",
            "choose one folder with {data.annotations}",
            {"data.annotations": None},
        )
    return places[0] if places else path if own else None


def _candidates(path: Path) -> list[Path]:
    """The files of a folder that may hold annotations; JSON of something else only where there is
    no other, nor a database: MIDOG is published as both."""
    files = sorted(file for file in path.iterdir() if has_known_suffix(file))
    files = [file for file in files if may_hold_annotations(file)]
    likely = [file for file in files if looks_like_annotations(file)] if len(files) > 1 else files
    likely = likely or files
    texts = [file for file in likely if not is_database(file)]
    if texts and len(texts) < len(likely):
        left = compact_names(file.name for file in likely if file not in texts)
        logger.info("%s is left out, as %s is there", left, texts[0].name)
    return texts or likely


def _no_annotations(path: Path) -> DataError:
    """The error of a folder without annotations; it names the files that may be meant as such."""
    other = [(file, kind) for file in _further_files(path) if (kind := kind_of_file(file))]
    if other:
        file, kind = other[0]
        same = sum(1 for _, its in other if its is kind) - 1
        more = f" (and {same} more of it)" if same else ""
        what = f"{file.relative_to(path)}{more} is {kind.name}, which is not read"
        return DataError(f"no annotation file in {path}/: {what}", kind.way, kind.settings)
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
