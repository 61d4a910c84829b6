"""Text files that people write, in whatever encoding their program chose."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from midog.errors import DataError
from midog.gzipped import read_unpacked

Problems = list[DataError]
"""What is wrong with a file, in the order of its lines."""

LARGEST_TEXT_MB = 128
"""No file of annotations or places is as large: MIDOG++'s has 2.8 MB."""

_MOST_BYTES = LARGEST_TEXT_MB * 2**20

LONGEST_NAME = 1024
"""No file name is as long, in characters."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_WORDS = {
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "cp1252": "Windows-1252 (Latin-1), as it is not UTF-8",
    "latin-1": "Latin-1, as it is not UTF-8",
}
_BINARY = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class TextFile:
    """The text of a file.

    notes: what was assumed to read it, one line each.
    """

    path: Path
    text: str
    notes: tuple[str, ...] = ()


def read_text(path: Path) -> TextFile:
    """The text of a file in UTF-8, UTF-16 or UTF-32, else in Windows-1252, which is then noted.

    A file that gzip packed is unpacked.

    Raises:
        DataError: where it cannot be read, is not text, holds NUL or is over LARGEST_TEXT_MB.
    """
    raw = read_unpacked(path, DataError, limit=_MOST_BYTES)
    encoding, text = _decode(path, raw)
    if "\0" in text:
        raise DataError(f"{path} holds NUL characters", "write it anew as plain text")
    words = _WORDS.get(encoding)
    return TextFile(path, text, (f"{path.name}: read as {words}",) if words else ())


def raise_problems(problems: Sequence[DataError]) -> None:
    """Raise the first of several problems, with how many more there are; nothing for none."""
    if not problems:
        return
    first, more = problems[0], len(problems) - 1
    what = first.what + (f" (and {more} more, which `midog data check` lists)" if more else "")
    raise DataError(what, first.fix, first.settings)


@lru_cache(10_000)
def file_name_in(text: str) -> str:
    """A file name as one system's folders and letters: of two spellings that look alike, one.

    Windows' backslashes become slashes, its drive and a leading `./` are dropped, and an accent
    written apart from its letter (as macOS does) is joined to it.
    """
    name = unicodedata.normalize("NFC", text.strip().replace("\\", "/"))
    return re.sub(r"\A(?:[A-Za-z]:(?=/)|(?:\./)+)", "", name)


@lru_cache(10_000)
def wrong_name(name: str) -> str:
    """Why a text can be no file name, "" where it can."""
    if len(name) > LONGEST_NAME:
        return f"is over {LONGEST_NAME} characters long"
    hidden = not name.isprintable()  # the quick test first: files list a name many times
    if hidden and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "holds control characters"
    return "" if name.strip("/. ") else "is empty"


def _decode(path: Path, raw: bytes) -> tuple[str, str]:
    """The encoding and the text of a file."""
    mark = next((mark for mark in _MARKS if raw.startswith(mark)), b"")
    encoding = _MARKS.get(mark) or _without_mark(raw)
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        if mark:
            raise _no_text(path) from None
        encoding, text = _single_bytes(raw)
    if _BINARY.search(text) or ("\0" in text and encoding in ("cp1252", "latin-1")):
        raise _no_text(path)
    return encoding, text


def _without_mark(raw: bytes) -> str:
    """UTF-8, or UTF-16 where every second byte of the beginning is NUL."""
    head = raw[:64]
    odd, even = head[1::2], head[::2]
    if len(head) > 3 and not any(odd) and all(even):
        return "utf-16-le"
    if len(head) > 3 and not any(even) and all(odd):
        return "utf-16-be"
    return "utf-8"


def _single_bytes(raw: bytes) -> tuple[str, str]:
    try:
        return "cp1252", raw.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1", raw.decode("latin-1")


def _no_text(path: Path) -> DataError:
    return DataError(f"{path} is not a text file", "give a JSON or CSV file")
