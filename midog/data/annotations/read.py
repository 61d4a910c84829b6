"""Annotation files of any format, read into a list of Roi."""

from __future__ import annotations

from pathlib import Path

from midog.data.annotations.class_names import ClassNames, parse_classes
from midog.data.annotations.csv_layout import layout_of, why_no_layout
from midog.data.annotations.figures import Annotations
from midog.data.annotations.other_kinds import kind_of_file, quick_look
from midog.data.annotations.reader import (
    AUTO,
    GEOJSON_ENDINGS,
    AnnotationFile,
    BoxChoice,
    Reader,
)
from midog.data.annotations.registry import READERS, formats_in_words
from midog.data.csv_text import header_of
from midog.data.text_file import Problems, raise_problems, read_text
from midog.errors import DataError
from midog.walk import files_below

_OF_PARTS = ("annotations", "images")
_HEAD = 4096
_SQLITE = b"SQLite format 3\0"


def read_annotations(
    path: Path | str,
    *,
    bbox: BoxChoice = "auto",
    classes: str = "",
    annotations_format: str = AUTO,
    images: Path | None = None,
) -> Annotations:
    """Read an annotation file of whichever of READERS' formats it is.

    Args:
        path: the file; or a folder of files of one image each.
        bbox: how a JSON file writes its boxes; "auto" decides over the file as a whole.
        classes: what its classes are, beyond the names that are known; see `parse_classes`.
        annotations_format: a key of READERS; "auto" takes the one whose form the file has.
        images: the data folder, whose images files of one image each are of; None: that of the
            file.

    Raises:
        DataError: names the first wrong record (its id or line), and how many more there are.
        ConfigError: as `parse_classes`.
    """
    annotations, problems = scan_annotations(
        path, bbox=bbox, classes=classes, annotations_format=annotations_format, images=images
    )
    raise_problems(problems)
    return annotations


def scan_annotations(
    path: Path | str,
    *,
    bbox: BoxChoice = "auto",
    classes: str = "",
    annotations_format: str = AUTO,
    images: Path | None = None,
) -> tuple[Annotations, Problems]:
    """As `read_annotations`, but return what can be read and everything that is wrong.

    Raises:
        DataError: where the file as a whole cannot be read.
        ConfigError: as `parse_classes`.
    """
    path = Path(path)
    names, reader = parse_classes(classes), reader_named(annotations_format)
    images = images or (path.parent if path.is_file() or path.name in _OF_PARTS else path)
    if path.is_dir() or (reader is not None and reader.per_image):
        parts = parts_in(path, annotations_format) if path.is_dir() else (path,)
        reader = reader or READERS["geojson"]
        if not parts:
            raise _no_parts(path, reader)
        return reader.read(AnnotationFile(path, "", names, (), parts, images), bbox)
    if reader is None and (kind := kind_of_file(path)):
        raise kind.error(path)
    file = _opened(path, names, images)
    reader = reader or _reader_of(file)
    if reader is None:
        why = why_none(file)
        what = f"begins {file.first_line()[:80]!r} and is no annotation file"
        raise DataError(f"{path} {what}{f': {why}' if why else ''}", f"give a {formats_in_words()}")
    return reader.read(file, bbox)


def reader_named(annotations_format: str) -> Reader | None:
    """The reader that data.annotations_format names, None for "auto".

    Raises:
        DataError: there is none of that name.
    """
    if annotations_format == AUTO:
        return None
    if annotations_format not in READERS:
        raise DataError(
            f"there is no format of annotations {annotations_format!r:.60}",
            f"choose {{data.annotations_format}} from {AUTO}, {', '.join(READERS)}",
            {"data.annotations_format": None},
        )
    return READERS[annotations_format]


def parts_in(folder: Path, annotations_format: str = AUTO) -> tuple[Path, ...]:
    """The files of one image each in a folder and below it, sorted.

    Args:
        folder: the folder.
        annotations_format: as `read_annotations`; "auto": those of GeoJSON.
    """
    reader = reader_named(annotations_format) or READERS["geojson"]
    paths = (
        path
        for path in files_below(folder, DataError)
        if path.name.lower().endswith(reader.suffixes) and path.name != "split.csv"
    )
    return tuple(path for path in paths if reader.asked or _is_part(path))


def _is_part(path: Path) -> bool:
    """Whether a file is GeoJSON, by its ending or its first characters."""
    if path.name.lower().endswith(GEOJSON_ENDINGS[:2]):
        return True
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return AnnotationFile(path, lines.read(_HEAD)).is_geojson()
    except OSError:
        return False


def may_hold_annotations(path: Path) -> bool:
    """Whether a file of a data folder lists the figures of images by name, by its ending and its
    form."""
    if path.name.startswith(".") or not path.is_file() or not has_known_suffix(path):
        return False
    if kind_of_file(path) is not None:
        return False
    try:
        reader = _reader_of(_opened(path))
    except DataError:
        return True  # reading it will report why it cannot be read
    return (
        reader is not None and not reader.per_image and path.name.lower().endswith(reader.suffixes)
    )


def looks_like_annotations(path: Path) -> bool:
    """Whether a file that may hold annotations is no JSON of something else, at a glance."""
    try:
        file = _opened(path)
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


def is_database(path: Path) -> bool:
    """Whether a file is a database of SQLite."""
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def has_known_suffix(path: Path) -> bool:
    """Whether a file ends as those of one of READERS' formats do."""
    endings = [reader.suffixes for reader in READERS.values() if not reader.asked]
    return any(path.name.lower().endswith(ending) for ending in endings)


def _opened(
    path: Path, names: ClassNames | None = None, images: Path | None = None
) -> AnnotationFile:
    """A file, before its reader is chosen; DataError where it is neither text nor a database."""
    if is_database(path):
        return AnnotationFile(path, "", names, (), (path,), images, is_database=True)
    text = read_text(path)
    return AnnotationFile(path, text.text, names, text.notes, (path,), images)


def _no_parts(path: Path, reader: Reader) -> DataError:
    words = f"{path}/ has no file that ends in {' or '.join(reader.suffixes)}"
    return DataError(words, f"give a folder with a {reader.name}: {reader.words}")


def _reader_of(file: AnnotationFile) -> Reader | None:
    return next((reader for reader in reversed(READERS.values()) if reader.takes(file)), None)
