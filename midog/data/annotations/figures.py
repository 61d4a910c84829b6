"""What all readers of annotation files share: classes counted, and ROIs made of figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes
from midog.data.annotations.class_names import (
    AREA,
    CLASSES_SETTING,
    IGNORED,
    LABEL_FIX,
    SKIPPED,
    UNKNOWN,
)
from midog.data.annotations.reader import AnnotationFile
from midog.data.roi import Roi
from midog.data.text_file import Problems
from midog.errors import DataError
from midog.json_text import is_number

BOX_FIX = "state how boxes are written: {data.bbox}, xyxy or xywh"
"""What to do about boxes that cannot be right, with `settings=BOX_SETTING`."""
BOX_SETTING = {"data.bbox": None}
_AREA_FIX = (
    "areas are read of SlideRunner's databases and QuPath's GeoJSON; leave them out with"
    " {data.classes}"
)
_WORDS = {UNKNOWN: "unknown", AREA: "areas of"}


@dataclass(frozen=True, eq=False)
class Annotations:
    """What an annotation file holds.

    rois: in file order, those without boxes included.
    kind: the format ("MIDOG JSON"); how: how its figures were read ("boxes as x1 y1 x2 y2").
    notes: what else was assumed, and what is not used, one line each.
    are_points: figures are listed as points, whose squares are sized at the mpp of their ROI.
    """

    path: Path
    rois: list[Roi]
    kind: str
    how: str
    notes: tuple[str, ...] = ()
    are_points: bool = False

    def describe(self) -> str:
        """One line for the user: format, how figures were read, counts of images and figures."""
        figures, imposters = (
            sum(len(roi.boxes.of_class(label)) for roi in self.rois)
            for label in (MITOTIC_FIGURE, IMPOSTER)
        )
        counts = f"{len(self.rois)} images, {figures} mitotic figures, {imposters} imposters"
        ignored = sum(len(roi.ignored) for roi in self.rois)
        counts += f", {ignored} boxes to ignore" if ignored else ""
        return f"{self.path.name}: {self.kind}, {self.how}, {counts}"


class Figure(NamedTuple):
    """A figure as a file lists it.

    where: the record, for messages: "MIDOG.json: annotation 17", "points.csv line 5".
    image: key of its image, any hashable value.
    label: 1 = mitotic figure, 2 = imposter, -1 = a box to ignore.
    values: its coordinates as the file writes them, px.
    """

    where: str
    image: Any
    label: int
    values: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.where}: [{', '.join(f'{value:g}' for value in self.values)}]"


@dataclass(frozen=True, eq=False)
class ClassTally:
    """The classes of a file's figures, each named once whatever the number of its figures.

    file: the file. declared: by name, the record that lists a class, where the file lists them.
    counts: figures by name of their class. labels: by the same names. first: the record to name
    for each. by_id: names that were read as MIDOG's category ids. areas: the format has areas.
    """

    file: AnnotationFile
    declared: Mapping[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    labels: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    by_id: set[str] = field(default_factory=set)
    areas: bool = False

    def label_of(self, where: str, name: str, *, ids: bool = False) -> int | None:
        """Count a figure; its label, None where it is left out.

        Args:
            where: the record.
            name: of its class, as written.
            ids: numbers are MIDOG's category ids.
        """
        if name not in self.labels:
            word = name.removesuffix(".0") if ids else name
            self.labels[name] = self.file.class_names().label_of(word, ids=ids)
            self.first[name] = self.declared.get(name, where)
            if ids and self.labels[name] > 0 and word in ("1", "2"):
                self.by_id.add(name)
        self.counts[name] += 1
        label = self.labels[name]
        unread = (UNKNOWN, SKIPPED) if self.areas else (UNKNOWN, SKIPPED, AREA)
        return None if label in unread else label

    def problems(self, kind: str) -> Problems:
        """One for each unknown class.

        Args:
            kind: what the file calls a class ("label").
        """
        bad = (UNKNOWN,) if self.areas else (UNKNOWN, AREA)
        unknown = [name for name, label in self.labels.items() if label in bad]
        more = {name: self.counts[name] - 1 for name in unknown}
        return [
            DataError(
                f"{self.first[name]}: {_WORDS[self.labels[name]]} {kind} {name!r}"
                + (f" ({more[name] + 1} figures)" if more[name] or self.declared else ""),
                LABEL_FIX if self.labels[name] == UNKNOWN else _AREA_FIX,
                CLASSES_SETTING,
            )
            for name in unknown
        ]

    def notes(self) -> list[str]:
        """What was assumed of classes, one line each."""
        name, notes = self.file.path.name, []
        if self.by_id:
            notes.append(f"{name}: category ids read as MIDOG's: 1 mitotic figure, 2 imposter")
        for label, words in (
            (SKIPPED, "are left out"),
            (IGNORED, "are ignored"),
            (AREA, "are areas"),
        ):
            theirs = [
                f"{self.counts[key]} of {key!r}" for key in self.labels if self.labels[key] == label
            ]
            if theirs:
                notes.append(f"{name}: {', '.join(theirs)} {words}, as data.classes states")
        names = self.file.class_names()
        ours = {MITOTIC_FIGURE: "mitotic figure", IMPOSTER: "imposter"}
        read = [
            f"{key!r} as {ours[label]}"
            for key, label in self.labels.items()
            if label in ours and key not in self.by_id and not names.is_plain(key)
        ]
        if read:
            notes.append(f"{name}: classes read: {', '.join(read)}")
        unused = names.without_use([*self.labels, *self.declared])
        if unused:
            notes.append(f"{name}: no figure is of a class {', '.join(map(repr, unused))}")
        return notes


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
    is_ignored = labels == IGNORED
    made = []
    for image, roi in images.items():
        own = np.array(rows[image], dtype=np.int64)
        kept, ignored = own[~is_ignored[own]], own[is_ignored[own]]
        boxes = Boxes(xyxy[kept], labels[kept])
        made.append(replace(roi, boxes=boxes, ignored=Boxes(xyxy[ignored], labels[ignored]).xyxy))
    return made


def is_coordinate(value: Any) -> bool:
    """Whether a value is a finite number that no image is larger than."""
    return is_number(value) and -1e9 < value < 1e9
