"""Text files that people write: read, with everything that is wrong with them gathered and named by
line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from midog.errors import DataError

Problems = list[DataError]
"""What is wrong with a file, in the order in which it was found."""


def raise_problems(problems: Sequence[DataError]) -> None:
    """Raise the first of them, with how many more there are; nothing where there are none."""
    if problems:
        more = (
            f" (and {len(problems) - 1} more, which `midog data check` lists)"
            if len(problems) > 1
            else ""
        )
        raise DataError(problems[0].what + more, problems[0].fix)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark; DataError where it cannot be
    read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file", "give a JSON or CSV file") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def read_table(path: Path, text: str) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Header of a CSV, in lower case, and its lines: ("FILE line 7", cells by column); no cell is
    None."""
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
