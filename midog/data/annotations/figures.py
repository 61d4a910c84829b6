"""What all readers of annotation files share: labels by any name, and ROIs made of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes
from midog.data.csv_text import Problems
from midog.data.roi import Roi
from midog.errors import DataError

_NAMES = {
    MITOTIC_FIGURE: "mitotic figure, mitotic figures, mitosis, mitoses, mitotic, mitotic cell, 1",
    IMPOSTER: (
        "imposter, imposters, impostor, impostors, hard negative, hard negatives, lookalike, look"
        " alike, 2, non mitotic figure, non mitotic figures, non mitotic, non mitosis, nonmitotic"
        " figure, not mitotic figure, not mitotic"
    ),
}
_LABELS = {name: label for label, names in _NAMES.items() for name in names.split(", ")}

LABEL_FIX = "name each category 'mitotic figure' or 'imposter' ('not mitotic figure')"
"""What to do about an unknown label or category."""

BOX_FIX = "state how boxes are written: {data.bbox}, xyxy or xywh"
"""What to do about boxes that cannot be right, with `settings=BOX_SETTING`."""
BOX_SETTING = {"data.bbox": None}


@dataclass(frozen=True, eq=False)
class Annotations:
    """What an annotation file holds.

    rois: in file order, those without boxes included.
    kind: the format ("MIDOG JSON"); how: how its figures were read ("boxes as x1 y1 x2 y2").
    """

    path: Path
    rois: list[Roi]
    kind: str
    how: str

    def describe(self) -> str:
        """One line for the user: format, how figures were read, counts of images and figures."""
        figures, imposters = (
            sum(len(roi.boxes.of_class(label)) for roi in self.rois) for label in _NAMES
        )
        counts = f"{len(self.rois)} images, {figures} mitotic figures, {imposters} imposters"
        return f"{self.path.name}: {self.kind}, {self.how}, {counts}"


class Figure(NamedTuple):
    """A figure as a file lists it.

    where: the record, for messages: "MIDOG.json: annotation 17", "points.csv line 5".
    image: key of its image, any hashable value.
    label: 1 = mitotic figure, 2 = imposter.
    values: its coordinates as the file writes them, px.
    """

    where: str
    image: Any
    label: int
    values: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.where}: [{', '.join(f'{value:g}' for value in self.values)}]"


def values_of(figures: Sequence[Figure], count: int) -> NDArray[np.float64]:
    """The coordinates of figures that have `count` of them: (N, count) float64."""
    return np.array([figure.values for figure in figures], dtype=np.float64).reshape(-1, count)


def with_boxes(
    images: Mapping[Any, Roi],
    figures: Sequence[Figure],
    xyxy: NDArray[Any],
    problems: Problems,
) -> list[Roi]:
    """Give ROIs their figures, in file order.

    Args:
        images: ROIs without boxes, by the key that figures name them with.
        figures: all figures of the file.
        xyxy: (N, 4) float, their boxes x1 y1 x2 y2 in level-0 px.
        problems: boxes without area are appended.
    """
    rows: dict[Any, list[int]] = {image: [] for image in images}
    sound = np.all(xyxy[:, 2:] > xyxy[:, :2], axis=1).tolist()
    for index, figure in enumerate(figures):
        if sound[index]:
            rows[figure.image].append(index)
        else:
            problems.append(DataError(f"{figure} has no area", BOX_FIX, BOX_SETTING))
    labels = np.array([figure.label for figure in figures], dtype=np.int64)
    return [
        replace(roi, boxes=Boxes(xyxy[rows[image]], labels[rows[image]]))
        for image, roi in images.items()
    ]


def label_of(name: str) -> int:
    """1 or 2 for a label's or category's name or number, 0 for an unknown one."""
    return _LABELS.get(" ".join(name.lower().replace("-", " ").replace("_", " ").split()), 0)


def is_coordinate(value: Any) -> bool:
    """Whether a value is a finite number that no image is larger than."""
    # NaN compares false
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9
