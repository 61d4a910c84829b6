"""CSV of boxes: corners of the boxes around figures."""

from __future__ import annotations

from midog.data.annotations.csv_figures import scan_figures
from midog.data.annotations.figures import Annotations, values_of, with_boxes
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.csv_text import Problems
from midog.errors import DataError


def read_csv_boxes(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a CSV with file_name, x1, y1, x2, y2 and maybe label, as `Reader.read`."""
    if bbox == "xywh":
        raise DataError(
            f"{file.path}: its header is x1,y1,x2,y2 and boxes are to be read as xywh",
            "drop {data.bbox}, or correct the file",
            {"data.bbox": None},
        )
    problems: Problems = []
    images, figures = scan_figures(file, ("x1", "y1", "x2", "y2"), problems)
    rois = with_boxes(images, figures, values_of(figures, 4), problems)
    return Annotations(file.path, rois, "CSV boxes", "boxes as x1 y1 x2 y2"), problems
