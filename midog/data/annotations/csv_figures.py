"""The lines of a CSV of figures, whether it lists their centres or their boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midog.boxes import MITOTIC_FIGURE
from midog.data.annotations.figures import LABEL_FIX, Figure, is_coordinate, label_of
from midog.data.annotations.reader import AnnotationFile
from midog.data.csv_text import Problems, read_table
from midog.data.roi import Roi
from midog.errors import DataError


def scan_figures(
    file: AnnotationFile, columns: Sequence[str], problems: Problems
) -> tuple[dict[str, Roi], list[Figure]]:
    """The images and figures of a CSV.

    Args:
        file: a CSV with file_name, `columns` and maybe label as header. An ROI without figures has
            one line with its name alone. Figures without a label column are mitotic figures.
        columns: names of the coordinates, such as x and y.
        problems: what is wrong with a line is appended.

    Returns:
        ROIs without boxes by file name, and the figures, both in file order.

    Raises:
        DataError: where a column is missing.
    """
    header, lines = read_table(file.path, file.text)
    if not {"file_name", *columns} <= set(header):
        raise DataError(
            f"{file.path}: its columns are {', '.join(header):.200}",
            f"write file_name,{','.join(columns)},label as header",
        )
    images = {row["file_name"]: Roi(row["file_name"]) for _, row in lines if row["file_name"]}
    figures = [_figure(where, row, columns, problems) for where, row in lines]
    return images, [figure for figure in figures if figure]


def _figure(
    where: str, row: Mapping[str, str], columns: Sequence[str], problems: Problems
) -> Figure | None:
    name, cells = row["file_name"], [row[column] for column in columns]
    label = label_of(row["label"]) if "label" in row else MITOTIC_FIGURE
    if name and not any(cells):
        return None  # an ROI without figures
    try:
        values = tuple(map(float, cells))
    except ValueError:
        values = (np.nan,)
    if name and label and all(map(is_coordinate, values)):
        return Figure(where, name, label, values)
    if name and not label:
        problems.append(DataError(f"{where}: unknown label {row.get('label')!r}", LABEL_FIX))
    else:
        header, line = ",".join(("file_name", *columns)), ",".join((name, *cells))
        problems.append(DataError(f"{where}: {header} is {line:.80}", "write a name and numbers"))
    return None
