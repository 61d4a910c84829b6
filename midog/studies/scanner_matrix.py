"""The matrix of a study: how the detectors of each part of a design score on each scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from midog.studies.table import Line


@dataclass(frozen=True, eq=False)
class MatrixRow:
    """The detectors of a row that were trained on the same scanners, on one test set.

    Attributes:
        row: Name of the row.
        design: Name of the design.
        part: Name of the part of the design.
        test: Name of the test set.
        cells: Lines of the part by the name of the scanner that they are scored on, in order.
    """

    row: str
    design: str
    part: str
    test: str
    cells: Mapping[str, Line]


def matrix_of(lines: Sequence[Line]) -> list[MatrixRow]:
    """Return the rows of the matrix: by row, design and test set, then the parts of the design.

    Args:
        lines: Of the table; those of no part are in no cell.
    """
    rows: dict[tuple[str, str, str], dict[str, dict[str, Line]]] = {}
    for line in lines:
        if line.part:
            parts = rows.setdefault((line.row, line.design, line.test), {})
            parts.setdefault(line.part, {})[line.scanners] = line
    return [
        MatrixRow(row, design, part, test, dict(sorted(cells.items())))
        for (row, design, test), parts in rows.items()
        for part, cells in parts.items()
    ]


def scanners_of(matrix: Sequence[MatrixRow]) -> list[str]:
    """The columns of a matrix: every scanner that one of its rows has a cell of, by name."""
    return sorted({name for one in matrix for name in one.cells})
