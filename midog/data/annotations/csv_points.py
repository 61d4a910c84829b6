"""CSV of points: centres of figures, read as squares of MIDOG's size."""

from __future__ import annotations

from midog.boxes import FIGURE_SIDE_UM, squares_around
from midog.data.annotations.csv_figures import scan_figures
from midog.data.annotations.figures import Annotations, values_of, with_boxes
from midog.data.annotations.reader import AnnotationFile, BoxChoice
from midog.data.text_file import Problems


def read_csv_points(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read a CSV of file names, places x and y and maybe classes, as `Reader.read`.

    The squares are those of 0.25 um/px, for `midog.data.in_use` to size at the ROI's own.
    """
    scanned = scan_figures(file)
    squares = squares_around(values_of(scanned.figures, 2))
    rois = with_boxes(scanned.images, scanned.figures, squares, scanned.problems)
    how = f"points as squares of {FIGURE_SIDE_UM:g} um"
    notes = (*file.notes, *scanned.notes)
    annotations = Annotations(file.path, rois, "CSV points", how, notes, are_points=True)
    return annotations, scanned.problems
