"""Detections as a CSV table: a row per box, with corners, centre, label and score."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from midog.boxes import Detections
from midog.data.csv_text import spreadsheet_cell
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.atypical import AtypicalScores
from midog.formats.shared import CLASS_NAMES, shortest

_COLUMNS = ("file_name", "x1", "y1", "x2", "y2", "x", "y", "label", "score")
_ATYPICAL_COLUMNS = ("kind", "atypical_probability")


def write_csv(
    path: Path,
    detections: Detections,
    *,
    file_name: str,
    atypical: AtypicalScores | None = None,
) -> None:
    """Write both classes as file_name,x1,y1,x2,y2,x,y,label,score, in level-0 px.

    Where figures are told apart, kind (atypical or normal) and atypical_probability follow; they
    are empty where nobody looked.

    Args:
        path: The file to replace; missing folders on the way are made.
        detections: Boxes in level-0 px; the label of class 1 is 'mitotic figure', that of class 2
            'non-mitotic figure'.
        file_name: Of the image; a quote is put before one that begins as a formula.
        atypical: What is known of the figures; None: they are not told apart.

    Raises:
        DetectionsError: If the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS if atypical is None else (*_COLUMNS, *_ATYPICAL_COLUMNS))
    name = spreadsheet_cell(file_name)
    columns = (
        detections.boxes,
        detections.centers.tolist(),
        detections.labels.tolist(),
        detections.scores,
        [()] * len(detections)
        if atypical is None
        else zip(atypical.kinds, atypical.written, strict=True),
    )
    for box, center, label, score, further in zip(*columns, strict=True):
        corners = map(shortest, box)
        table.writerow([name, *corners, *center, CLASS_NAMES[label], shortest(score), *further])
    replace_text(path, text.getvalue(), DetectionsError, parents=True)
