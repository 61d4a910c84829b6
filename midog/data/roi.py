"""One region of interest: its image, its figures, and its place in the split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from midog.boxes import Boxes, FloatArray


@dataclass(frozen=True, eq=False)
class Roi:
    """One image file and what the annotation file and the split state of it.

    file_name: as the annotation file names it ("001.tiff"); unique in a list of ROIs.
    width, height: level-0 px as the annotation file states them; None where it does not.
    boxes: figures of both classes, in file order (scoring depends on it).
    ignored: (N, 4) float32, x1 y1 x2 y2 in level-0 px: what lies in them counts neither for nor
        against a detector.
    path: the image file, None where it is not on this machine.
    mpp: micrometres per px of level 0 as the split or the annotation states it, None where neither
        does; `midog.data.mpp` knows what holds then.
    scanner, patient: from the split, else the annotation; "" where neither states it.
    areas: (N, 4) float32, x1 y1 x2 y2 in level-0 px: the rectangles that alone are annotated; none:
        all of it is.
    split: train, val, test or unlabelled; "" where no split was read.
    columns: further columns of the split and fields of the annotation, by name ("tumour": "canine
        lymphosarcoma").
    """

    file_name: str
    width: int | None = None
    height: int | None = None
    boxes: Boxes = field(default_factory=Boxes)
    path: Path | None = None
    mpp: float | None = None
    scanner: str = ""
    patient: str = ""
    split: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    ignored: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    areas: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    @property
    def patient_or_name(self) -> str:
        """The patient; where none is named the ROI counts as a patient of its own."""
        return self.patient or self.file_name

    @property
    def has_boxes(self) -> bool:
        """Whether anything is annotated in it: a figure of either class, or a box to ignore."""
        return len(self.boxes) > 0 or len(self.ignored) > 0
