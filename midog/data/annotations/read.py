"""Annotation files of any format, read into a list of Roi."""

from __future__ import annotations

from pathlib import Path

from midog.data.annotations.figures import Annotations
from midog.data.annotations.reader import AnnotationFile, BoxChoice, Reader
from midog.data.annotations.registry import READERS, formats_in_words
from midog.data.csv_text import Problems, raise_problems, read_text
from midog.errors import DataError


def read_annotations(path: Path | str, *, bbox: BoxChoice = "auto") -> Annotations:
    """Read an annotation file of whichever of READERS' formats it is.

    Args:
        path: the file.
        bbox: how a JSON file writes its boxes; "auto" decides over the file as a whole.

    Raises:
        DataError: names the first wrong record (its id or line), and how many more there are.
    """
    annotations, problems = scan_annotations(path, bbox=bbox)
    raise_problems(problems)
    return annotations


def scan_annotations(path: Path | str, *, bbox: BoxChoice = "auto") -> tuple[Annotations, Problems]:
    """As `read_annotations`, but return what can be read and everything that is wrong.

    Raises:
        DataError: where the file as a whole cannot be read.
    """
    path = Path(path)
    file = AnnotationFile(path, read_text(path))
    reader = _reader_of(file)
    if reader is None:
        raise DataError(
            f"{path} begins {file.first_line()[:80]!r} and is no annotation file",
            f"give a {formats_in_words()}",
        )
    return reader.read(file, bbox)


def may_hold_annotations(path: Path) -> bool:
    """Whether a file of a data folder is an annotation file, by its ending and its form."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or not path.is_file() or not has_known_suffix(path):
        return False
    try:
        reader = _reader_of(AnnotationFile(path, read_text(path)))
    except DataError:
        return True  # reading it will report why it cannot be read
    return reader is not None and suffix in reader.suffixes


def has_known_suffix(path: Path) -> bool:
    """Whether a file ends as those of one of READERS' formats do."""
    return any(path.suffix.lower() in reader.suffixes for reader in READERS.values())


def _reader_of(file: AnnotationFile) -> Reader | None:
    return next((reader for reader in reversed(READERS.values()) if reader.takes(file)), None)
