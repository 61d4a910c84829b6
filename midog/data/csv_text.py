"""Tables that people write: CSV with commas, semicolons or tabs, every wrong line named."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from midog.data.text_file import Problems
from midog.errors import DataError

MOST_LINES, MOST_COLUMNS = 400_000, 256
"""Bounds of a table: the largest published set, CCMCT, lists 262,481 cells."""

Cells = dict[str, str]
"""The cells of a line by column, as the header writes its name."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")


@dataclass(frozen=True)
class Table:
    """A CSV.

    header: its columns as written, each name once; one without a name is "column 3".
    lines: ("FILE line 7", cells by column); where a line is short, its last cells are "".
    problems: lines with more cells than columns, which are not among `lines`.
    notes: what was assumed to read it, one line each.
    """

    header: tuple[str, ...]
    lines: tuple[tuple[str, Cells], ...]
    problems: tuple[DataError, ...] = ()
    notes: tuple[str, ...] = ()


def is_number(text: str) -> bool:
    """Whether a cell is a number with a decimal point, as a program writes it."""
    return _NUMBER.fullmatch(text) is not None


def spreadsheet_cell(text: str) -> str:
    """Return text as a cell of a CSV that no spreadsheet takes for a formula.

    A cell that begins as a formula does has a quote in front (OWASP, CSV injection): a third
    party chose the name. Bytes of a name that are no text are escaped.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0")) else text


def text_of_cell(cell: str) -> str:
    """Return what `spreadsheet_cell` was given: without the quote before a formula."""
    return cell[1:] if cell.startswith("'") and spreadsheet_cell(cell[1:]) == cell else cell


def read_table(path: Path, text: str) -> Table:
    """Parse a CSV; the header shows what separates its cells.

    Args:
        path: the file, for messages.
        text: its content.

    Raises:
        DataError: where it is not a CSV, one name stands twice in its header (without regard to
            case), or it is over MOST_LINES or MOST_COLUMNS.
    """
    separator = separator_of(text)
    reader = csv.reader(
        io.StringIO(_without_hint(text), newline=""), delimiter=separator, strict=True
    )
    lines: list[tuple[str, Cells]] = []
    problems: Problems = []
    try:
        first: list[str] = next((cells for cells in reader if any(map(str.strip, cells))), [])
        header = _header(path, reader.line_num, first)
        for where, cells in _numbered(path, reader):
            if any(cells[len(header) :]):
                problems.append(_too_many(where, cells, header, separator))
            else:
                cells += [""] * (len(header) - len(cells))
                lines.append((where, dict(zip(header, cells, strict=False))))
    except csv.Error as error:
        raise DataError(
            f"{path} line {reader.line_num} is not CSV: {error}",
            "quote whole cells, or no cell",
        ) from None
    notes = [f"{path.name}: cells separated by {_SEPARATORS[separator]}"] * (separator != ",")
    return Table(tuple(header), tuple(lines), tuple(problems), tuple(notes))


def header_of(text: str) -> list[str]:
    """The names in the first line of what may be a CSV; it raises nothing."""
    try:
        line = _without_hint(text)[:20_000].lstrip().split("\n", 1)[0]
        names = next(csv.reader([line], delimiter=separator_of(text)), [])
    except csv.Error:
        return []
    return [name.strip() for name in names[:MOST_COLUMNS]]


def separator_of(text: str) -> str:
    """What separates the cells of a CSV: the character that stands most often in its header."""
    hint = re.match(r"sep=([,;\t|])\r?\n", text)
    if hint:
        return hint[1]
    first = re.sub(r'"[^"\n]*"', "", text[:20_000].lstrip("\r\n ").split("\n", 1)[0])
    return max(_SEPARATORS, key=first.count)


def number_in(text: str) -> float | None:
    """The number that a cell holds, None for any other text (nan, 1_000 and 0,5 among it)."""
    return float(text) if _NUMBER.fullmatch(text) else None


def number_fix(text: str) -> str:
    """What to do about a cell that holds no number."""
    if _DECIMAL_COMMA.fullmatch(text):
        return "write numbers with a decimal point, not a comma"
    return "write a number"


def _without_hint(text: str) -> str:
    """The text without Excel's line `sep=;`."""
    return re.sub(r"\Asep=[,;\t|]\r?\n", "", text)


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    names = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1)]
    while names and names[-1] == f"column {len(names)}" and not cells[len(names) - 1].strip():
        names.pop()  # a comma at the end
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path} has {len(names)} columns", f"write at most {MOST_COLUMNS}")
    seen: dict[str, str] = {}
    for name in names:
        if (word := name.casefold()) in seen:
            same = seen[word] == name
            twice = f"twice a column {name}" if same else f"columns {seen[word]} and {name}"
            raise DataError(
                f"{path} line {line} has {twice}: which of them counts is not clear",
                "remove or rename one of them",
            )
        seen[word] = name
    return names


def _numbered(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """The lines that hold anything."""
    for count, cells in enumerate(reader, 1):
        if count > MOST_LINES:
            raise DataError(f"{path} has over {MOST_LINES:,} lines", "split it")
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield f"{path} line {reader.line_num}", cells  # type: ignore[attr-defined]


def _too_many(where: str, cells: list[str], header: list[str], separator: str) -> DataError:
    line = separator.join(cells)
    return DataError(
        f"{where} has {len(cells)} cells for {len(header)} columns: {line:.80}",
        "quote a cell that holds the separator, and write numbers with a decimal point"
        if separator == ","
        else "quote a cell that holds the separator",
    )
