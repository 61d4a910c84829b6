"""Detections as a CSV table: a row per box, with corners, centre, label and score."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from midog.boxes import Detections
from midog.data.csv_text import spreadsheet_cell
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.shared import CLASS_NAMES, shortest

_COLUMNS = ("file_name", "x1", "y1", "x2", "y2", "x", "y", "label", "score")


def write_csv(path: Path, detections: Detections, *, file_name: str) -> None:
    """Write both classes as file_name,x1,y1,x2,y2,x,y,label,score, in level-0 px.

    Args:
        path: The file to replace; missing folders on the way are made.
        detections: Boxes in level-0 px; the label of class 1 is 'mitotic figure', that of class 2
            'non-mitotic figure'.
        file_name: Of the image; a quote is put before one that begins as a formula.

    Raises:
        DetectionsError: If the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    name = spreadsheet_cell(file_name)
    columns = (
        detections.boxes,
        detections.centers.tolist(),
        detections.labels.tolist(),
        detections.scores,
    )
    for box, center, label, score in zip(*columns, strict=True):
        corners = map(shortest, box)
        table.writerow([name, *corners, *center, CLASS_NAMES[label], shortest(score)])
    replace_text(path, text.getvalue(), DetectionsError, parents=True)
