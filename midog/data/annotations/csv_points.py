"""CSV of points: centres of figures, read as squares of MIDOG's size."""

from __future__ import annotations

from midog.boxes import FIGURE_SIDE_PX, squares_around
from midog.data.annotations.csv_figures import scan_figures
from midog.data.annotations.figures import Annotations, values_of, with_boxes
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.csv_text import Problems


def read_csv_points(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a CSV with file_name, x, y and maybe label, as `Reader.read`."""
    problems: Problems = []
    images, figures = scan_figures(file, ("x", "y"), problems)
    rois = with_boxes(images, figures, squares_around(values_of(figures, 2)), problems)
    how = f"points as squares of {FIGURE_SIDE_PX:.0f} px"
    return Annotations(file.path, rois, "CSV points", how), problems
