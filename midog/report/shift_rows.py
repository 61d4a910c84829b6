"""The rows and columns of a domain-shift report: their order and their names."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from midog.metrics.scanner_matrix import Cell, Matrix, ModelRow


def ordered_scanners(matrix: Matrix) -> list[str]:
    """Return the tested scanners, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in matrix.rows for name in row.cells))


def ordered_rows(matrix: Matrix) -> list[ModelRow]:
    """Return models of one scanner, then those of all but one, then the rest.

    The first by their scanner and the second by the one left out, both in the order of
    `ordered_scanners`.
    """
    columns = ordered_scanners(matrix)

    def place(row: ModelRow) -> tuple[int, int]:
        left_out = _left_out(matrix, row)
        kinds = (row.train_on, left_out)
        for kind, names in enumerate(kinds):
            if len(names) == 1:
                return kind, columns.index(names[0]) if names[0] in columns else len(columns)
        return len(kinds), 0

    return sorted(matrix.rows, key=place)


def _left_out(matrix: Matrix, row: ModelRow) -> list[str]:
    """Scanners that another model was trained on and this one was not."""
    everything = dict.fromkeys(name for other in matrix.rows for name in other.train_on)
    return [name for name in everything if name not in row.train_on]


def model_names(matrix: Matrix) -> dict[str, str]:
    """Return what each run was trained on, in words, by its name; with the name if two were trained
    on the same."""
    names = {}
    for row in matrix.rows:
        left_out = _left_out(matrix, row)
        if len(row.train_on) > 1 and len(left_out) == 1:
            names[row.name] = f"all but {left_out[0]}"
        else:
            names[row.name] = listed(row.train_on) or "nothing"
    doubled = {text for text in names.values() if list(names.values()).count(text) > 1}
    return {run: f"{text} ({run})" if text in doubled else text for run, text in names.items()}


def cells_by_scanner(matrix: Matrix) -> dict[str, list[Cell]]:
    """Return the cells of each column, in the order of `ordered_scanners`."""
    rows = ordered_rows(matrix)
    return {
        name: [row.cells[name] for row in rows if name in row.cells]
        for name in ordered_scanners(matrix)
    }


def unseen_means(matrix: Matrix) -> dict[str, tuple[float, int]]:
    """Return by scanner the mean F1 of the models that have not seen it, and their number.

    Of models of one scanner if any exist, else of all. Scanners without such a model are left out.
    """
    single = [row for row in matrix.rows if len(row.train_on) == 1]
    means = {}
    for scanner in ordered_scanners(matrix):
        cells = [row.cells[scanner] for row in single or matrix.rows if scanner in row.cells]
        values = [
            cell.f1.value for cell in cells if not cell.seen and not math.isnan(cell.f1.value)
        ]
        if values:
            means[scanner] = float(np.mean(values)), len(values)
    return means


def listed(words: Sequence[str]) -> str:
    """Join words: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
