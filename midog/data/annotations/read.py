"""Annotation files of any format, read into a list of Roi."""

from __future__ import annotations

from pathlib import Path

from midog.data.annotations.class_names import parse_classes
from midog.data.annotations.csv_layout import layout_of, why_no_layout
from midog.data.annotations.figures import Annotations
from midog.data.annotations.other_kinds import kind_of_file, quick_look
from midog.data.annotations.reader import AnnotationFile, BoxChoice, Reader
from midog.data.annotations.registry import READERS, formats_in_words
from midog.data.csv_text import header_of
from midog.data.text_file import Problems, raise_problems, read_text
from midog.errors import DataError


def read_annotations(
    path: Path | str, *, bbox: BoxChoice = "auto", classes: str = ""
) -> Annotations:
    """Read an annotation file of whichever of READERS' formats it is.

    Args:
        path: the file.
        bbox: how a JSON file writes its boxes; "auto" decides over the file as a whole.
        classes: what its classes are, beyond the names that are known; see `parse_classes`.

    Raises:
        DataError: names the first wrong record (its id or line), and how many more there are.
        ConfigError: as `parse_classes`.
    """
    annotations, problems = scan_annotations(path, bbox=bbox, classes=classes)
    raise_problems(problems)
    return annotations


def scan_annotations(
    path: Path | str, *, bbox: BoxChoice = "auto", classes: str = ""
) -> tuple[Annotations, Problems]:
    """As `read_annotations`, but return what can be read and everything that is wrong.

    Raises:
        DataError: where the file as a whole cannot be read.
        ConfigError: as `parse_classes`.
    """
    path = Path(path)
    names = parse_classes(classes)
    if kind := kind_of_file(path):
        raise kind.error(path)
    text = read_text(path)
    file = AnnotationFile(path, text.text, names, text.notes)
    reader = _reader_of(file)
    if reader is None:
        why = why_none(file)
        what = f"begins {file.first_line()[:80]!r} and is no annotation file"
        raise DataError(f"{path} {what}{f': {why}' if why else ''}", f"give a {formats_in_words()}")
    return reader.read(file, bbox)


def may_hold_annotations(path: Path) -> bool:
    """Whether a file of a data folder is an annotation file, by its ending and its form."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or not path.is_file() or not has_known_suffix(path):
        return False
    if kind_of_file(path) is not None:
        return False
    try:
        reader = _reader_of(AnnotationFile(path, read_text(path).text))
    except DataError:
        return True  # reading it will report why it cannot be read
    return reader is not None and suffix in reader.suffixes


def looks_like_annotations(path: Path) -> bool:
    """Whether a file that may hold annotations is no JSON of something else, at a glance."""
    try:
        file = AnnotationFile(path, read_text(path).text)
    except DataError:
        return True
    return not file.is_json() or quick_look(file.text)


def why_none(file: AnnotationFile) -> str:
    """Why a table is not read as figures, "" where nothing can be said."""
    header = header_of(file.text)
    if why := why_no_layout(header):
        return why
    if layout_of(header):
        return "no column is of file names"
    return f"its columns are {', '.join(header):.200}" if len(header) > 1 else ""


def has_known_suffix(path: Path) -> bool:
    """Whether a file ends as those of one of READERS' formats do."""
    return any(path.suffix.lower() in reader.suffixes for reader in READERS.values())


def _reader_of(file: AnnotationFile) -> Reader | None:
    return next((reader for reader in reversed(READERS.values()) if reader.takes(file)), None)
