"""What tests of evaluation share: ROIs, files of points as a stranger writes them, and three ROIs
with known counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from midog.boxes import Boxes, squares_around
from midog.data.roi import Roi
from midog.evaluation.points import ScoredRoi
from midog.metrics.counts import Counts

YES, NO = "mitotic figure", "non-mitotic figure"


def roi(
    file_name: str,
    figures: Any = (),
    imposters: Any = (),
    scanner: str = "A",
    mpp: float | None = 0.25,
    **more: Any,
) -> Roi:
    """figures, imposters: centres in px."""
    boxes = Boxes(squares_around([*figures, *imposters]), [1] * len(figures) + [2] * len(imposters))
    return Roi(file_name, boxes=boxes, scanner=scanner, mpp=mpp, **more)


def write(path: Path, *points: tuple[float, float, float, str], mpp: float = 0.25) -> None:
    """A stranger's file: points (x px, y px, probability, name)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"point": [x * mpp / 1000, y * mpp / 1000, 0], "probability": p, "name": n}
        for x, y, p, n in points
    ]
    path.write_text(
        json.dumps({"type": "Multiple points", "points": rows, "version": {"major": 1, "minor": 0}})
    )


def total(scored: Iterable[ScoredRoi]) -> Counts:
    return sum((each.counts for each in scored), Counts())


ROIS = [
    roi(
        "001.tiff",
        [(100, 100), (300, 300)],
        [(200, 200)],
        "Hamamatsu XR",
        patient="p1",
        columns={"tumour": "lung"},
    ),
    roi("002.tiff", [], [], "Hamamatsu XR", patient="p2", columns={"tumour": ""}),
    roi("003.tiff", [(50, 50)], [], "Aperio CS2", patient="p1", columns={"tumour": "skin"}),
]
"""Two figures and an imposter; nothing; one figure."""


def write_found(folder: Path) -> None:
    """For ROIS: a hit, a hit named otherwise, a false alarm on the imposter; false alarms in 002;
    nothing in 003."""
    write(folder / "001.json", (103, 100, 0.9, YES), (300, 310, 0.6, NO), (200, 200, 0.7, YES))
    write(folder / "002.json", (10, 10, 0.3, YES), (500, 10, 0.2, NO))
    write(folder / "003.json")
