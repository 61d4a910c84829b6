"""CSVs of one image each without a header: row, column of TUPAC16; x, y of MITOS-ATYPIA 14."""

from __future__ import annotations

import csv
import io

from midog.data.annotations.figures import Annotations
from midog.data.annotations.per_image import Part, PartScan, read_parts
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.csv_text import number_fix, number_in, separator_of
from midog.data.text_file import Problems
from midog.errors import DataError

_ENDINGS = (".csv", ".txt")
_FIGURE = "mitosis"
_ROLES = {"_not_mitosis": "not mitosis", "_mitosis": _FIGURE}
"""How a file of MITOS-ATYPIA 14 ends, and the class of its figures; the longer first."""


def read_tupac16(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read row, column and maybe a confidence of each mitotic figure, as `Reader.read`.

    The format of TUPAC16's and AMIDA13's auxiliary sets (tupac.grand-challenge.org).
    """
    words = "CSV of TUPAC16 or AMIDA13"
    return read_parts(file, words, _row_and_column, endings=_ENDINGS)


def read_mitos14(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read x, y and maybe a confidence of each figure, as `Reader.read`.

    The format of MITOS-ATYPIA 14: A03_00Aa_mitosis.csv has mitotic figures of the image A03_00Aa,
    A03_00Aa_not_mitosis.csv imposters; A03_00Aa.csv has mitotic figures.
    """
    words = "CSV of MITOS-ATYPIA 14"
    return read_parts(file, words, _x_and_y, endings=_ENDINGS, roles=_ROLES)


def _row_and_column(scan: PartScan, part: Part) -> None:
    _scan(scan, part, ("row", "column"), (1, 0))


def _x_and_y(scan: PartScan, part: Part) -> None:
    _scan(scan, part, ("x", "y"), (0, 1))


def _scan(scan: PartScan, part: Part, names: tuple[str, str], order: tuple[int, int]) -> None:
    """Note the figures of a file.

    Args:
        scan: what is gathered.
        part: the file.
        names: of its first two cells.
        order: which of them are x and y.
    """
    separator = separator_of(part.text)
    fix = f"write {names[0]}{separator}{names[1]} in px, without a header"
    reader = csv.reader(io.StringIO(part.text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            where = f"{part.path} line {reader.line_num}"
            numbers = [number_in(cell) for cell in cells]
            if len(cells) not in (2, 3) or None in numbers:
                line = separator.join(cells)
                wrong = next((c for c, n in zip(cells, numbers, strict=True) if n is None), "")
                words = f"{where} is {line!r:.80}, not {', '.join(names)} and maybe a confidence"
                scan.problems.append(DataError(words, number_fix(wrong) if wrong else fix))
                continue
            x, y = (numbers[index] for index in order)
            scan.add(where, part, part.role or _FIGURE, x, y, fix)
    except csv.Error as error:
        raise DataError(f"{part.path} line {reader.line_num} is not CSV: {error}", fix) from None
