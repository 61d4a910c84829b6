"""Text files that people write: read, with everything that is wrong named by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from midog.errors import DataError

Problems = list[DataError]
"""What is wrong with a file, in the order of its lines."""


def raise_problems(problems: Sequence[DataError]) -> None:
    """Raise the first of several problems, with how many more there are; nothing for none."""
    if not problems:
        return
    first, more = problems[0], len(problems) - 1
    what = first.what + (f" (and {more} more, which `midog data check` lists)" if more else "")
    raise DataError(what, first.fix, first.settings)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark.

    Raises:
        DataError: where it cannot be read or is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file", "give a JSON or CSV file") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def read_table(path: Path, text: str) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Parse a CSV.

    Args:
        path: the file, for messages.
        text: its content.

    Returns:
        Its header in lower case, and its lines: ("FILE line 7", cells by column). Where a line is
        short, its last cells are "".

    Raises:
        DataError: where it is not a CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        lines = [(f"{path} line {reader.line_num}", cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num} is not CSV: {error}") from None
    padding = [""] * len(header)
    return header, [
        (where, dict(zip(header, map(str.strip, cells + padding), strict=False)))
        for where, cells in lines
    ]
