"""ROIs and splits that tests of splits share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from midog.boxes import Boxes
from midog.data.join_split import problems_with
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, problems_within


def boxes(figures: int, imposters: int = 0) -> Boxes:
    corner = 60.0 * np.arange(figures + imposters, dtype=np.float32)
    labels = np.array([1] * figures + [2] * imposters)
    return Boxes(np.stack([corner, corner, corner + 50, corner + 50], axis=1), labels)


def roi(
    number: int, scanner: str = "A", figures: int = 1, imposters: int = 1, patient: str = ""
) -> Roi:
    return Roi(
        f"{number:03d}.tiff",
        4000,
        4000,
        boxes(figures, imposters),
        scanner=scanner,
        patient=patient,
    )


def check_split(split: Split, rois: Sequence[Roi]) -> list[str]:
    return [str(problem) for problem in problems_within(split) + problems_with(split, rois)]


def rows_of(rois: Sequence[Roi], role: str) -> Split:
    rows = (
        SplitRow(item.file_name, item.scanner, item.patient or item.file_name, role)
        for item in rois
    )
    return Split("split.csv", tuple(rows))


def roles(split: Split) -> dict[str, str]:
    return {row.file_name: row.split for row in split.rows}
