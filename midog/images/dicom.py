"""DICOM slides: the files of a folder that share a series are one slide, whichever is opened."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from midog.errors import ImageError

SUFFIX = ".dcm"

_SERIES = (0x0020, 0x000E)  # Series Instance UID
_PREAMBLE = 128
_ENDLESS = 0xFFFFFFFF  # of a sequence that ends with a delimiter
_ITEM_GROUP = 0xFFFE
_SEQUENCE_END, _ITEM_END = 0xE0DD, 0xE00D
_WITH_LONG_LENGTH = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN"} | {
    b"UR",
    b"UT",
    b"UV",
}
_DEEPEST = 16  # of sequences in sequences
_MOST_ELEMENTS = 10_000
_MOST_FILES = 10_000  # of a folder that is given as one slide


def is_dicom(path: Path) -> bool:
    """Whether a regular file is a DICOM file, by its bytes."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False


def series_of(path: Path) -> str | None:
    """The series of a DICOM file; None for any other file, or where it is not stated.

    Args:
        path: any file.
    """
    if not is_dicom(path):
        return None
    try:
        with path.open("rb") as file:
            file.seek(_PREAMBLE + 4)
            return _find(file, 0)
    except (OSError, struct.error):
        return None


def one_of_each_slide(paths: Iterable[Path]) -> list[Path]:
    """Files without those that are a further part of a DICOM slide.

    Args:
        paths: image files. Of those that end in .dcm, lie in one folder and share a series, the
            first stays: it opens the whole slide.
    """
    kept, slides = [], set()
    for path in paths:
        if path.suffix.lower() == SUFFIX and (series := series_of(path)) is not None:
            if (path.parent, series) in slides:
                continue
            slides.add((path.parent, series))
        kept.append(path)
    return kept


def slide_in(folder: Path) -> Path | None:
    """The file by which to open a folder as one DICOM slide; None for a folder without DICOM files.

    Raises:
        ImageError: for a folder that holds several slides.
    """
    files = sorted(folder.iterdir())[:_MOST_FILES]
    slides = one_of_each_slide(path for path in files if path.suffix.lower() == SUFFIX)
    slides = [path for path in slides if is_dicom(path)]
    if len(slides) > 1:
        names = ", ".join(path.name for path in slides[:3])
        raise ImageError(
            f"{folder} holds {len(slides)} DICOM slides ({names} ...)", "give a file of one of them"
        )
    return slides[0] if slides else None


def _find(file: BinaryIO, depth: int) -> str | None:
    """The series among the elements from here on; they lie in the order of their tags.

    The values are little endian, with kinds ("explicit") or without; none of the transfer syntaxes
    of slides is another.
    """
    for _ in range(_MOST_ELEMENTS):
        head = file.read(8)
        if len(head) < 8:
            return None
        group, element = struct.unpack("<HH", head[:4])
        kind = head[4:6]
        if group == _ITEM_GROUP or not (kind.isalpha() and kind.isupper()):
            (length,) = struct.unpack("<I", head[4:])
        elif kind in _WITH_LONG_LENGTH:
            (length,) = struct.unpack("<I", file.read(4))
        else:
            (length,) = struct.unpack("<H", head[6:])
        if group == _ITEM_GROUP and element in (_SEQUENCE_END, _ITEM_END) and depth:
            return None
        if (group, element) == _SERIES and not depth:
            return file.read(min(length, 64)).rstrip(b"\0 ").decode("ascii", "replace") or None
        if length != _ENDLESS:
            file.seek(length, 1)
        elif depth < _DEEPEST:
            _find(file, depth + 1)
        else:
            return None
        if (group, element) > _SERIES and not depth:
            return None
    return None
