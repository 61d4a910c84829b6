"""CSV of boxes: corners of the boxes around figures, or a corner or centre and their size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.data.annotations.csv_figures import scan_figures
from midog.data.annotations.csv_layout import LayoutKind
from midog.data.annotations.figures import Annotations, values_of, with_boxes
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.text_file import Problems
from midog.errors import DataError


def read_csv_boxes(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a CSV of file names, boxes and maybe classes, as `Reader.read`."""
    scanned = scan_figures(file)
    kind = scanned.layout.kind
    if bbox != "auto" and bbox != {"corners": "xyxy", "sized": "xywh"}.get(kind):
        raise DataError(
            f"{file.path}: its header is that of {scanned.layout.how} and boxes are to be read as"
            f" {bbox}",
            "drop {data.bbox}, or correct the file",
            {"data.bbox": None},
        )
    xyxy = _corners(kind, values_of(scanned.figures, 4))
    rois = with_boxes(scanned.images, scanned.figures, xyxy, scanned.problems)
    notes = (*file.notes, *scanned.notes)
    return Annotations(file.path, rois, "CSV boxes", scanned.layout.how, notes), scanned.problems


def _corners(kind: LayoutKind, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (N, 4) as x1 y1 x2 y2."""
    if kind == "corners":
        return values
    first, size = values[:, :2], values[:, 2:]
    first = first - size / 2 if kind == "centred" else first
    return np.hstack([first, first + size])
