"""Grand Challenge's 'Multiple points' as the MIDOG challenge takes them: written and read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from midog.boxes import Detections
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.shared import FIGURE_NAME, NON_FIGURE_NAME, DetectedPoints, shortest
from midog.json_text import is_number, read_json, to_json
from midog.metrics.points import mm_of_px
from midog.mpp import MppLike

_TYPE = "Multiple points"
_FIX = f"give Grand Challenge JSON of type '{_TYPE}'"


def write_challenge(path: Path, detections: Detections, *, mpp: MppLike, threshold: float) -> None:
    """Write class 1 as 'Multiple points' in millimetres, by falling score.

    The name of a point is 'mitotic figure' for a score >= threshold, else 'non-mitotic figure'.
    Every point has its score as probability, in the fewest digits that name that float32. The same
    detections give the same bytes.

    Args:
        path: The file to replace; missing folders on the way are made.
        detections: Boxes in level-0 px.
        mpp: um/px of level 0, or those along x and y; a point is px * mpp / 1000.
        threshold: In [0, 1].

    Raises:
        DetectionsError: If the file cannot be written.
    """
    figures = detections.figures()
    figures = figures.select(np.argsort(-figures.scores, kind="stable"))
    above = figures.scores >= np.float32(threshold)  # as Detections.at_least
    points = [
        {
            "name": FIGURE_NAME if is_above else NON_FIGURE_NAME,
            "point": [x, y, 0],
            "probability": shortest(score),
        }
        for (x, y), score, is_above in zip(
            mm_of_px(figures.centers, mpp).tolist(), figures.scores, above, strict=True
        )
    ]
    document = {
        "name": "Points of interest",
        "type": _TYPE,
        "points": points,
        "version": {"major": 1, "minor": 0},
    }
    replace_text(path, to_json(document), DetectionsError, parents=True)


def read_challenge(path: Path) -> DetectedPoints:
    """Read a file of 'Multiple points', of midog or of a third party.

    As for the challenge's own scorer, a point without a name is a mitotic figure, and the file's
    `type` is not looked at.

    Args:
        path: A JSON file with points of two or three numbers, in millimetres.

    Raises:
        DetectionsError: If it is no such file; names the file and the point, counted from 1.
    """
    return parse_challenge(read_json(path, DetectionsError, _FIX), str(path))


def parse_challenge(document: Any, where: str) -> DetectedPoints:
    """Read what a file of 'Multiple points' holds; see `read_challenge`.

    Args:
        document: The JSON.
        where: What it is, for errors.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("points"), list):
        raise DetectionsError(f"{where} has no list `points`", _FIX)
    points = document["points"]
    rows = [_read_point(point, f"{where} point {number}") for number, point in enumerate(points, 1)]
    names = Counter(row.name for row in rows)
    return DetectedPoints(
        points_mm=np.array([(row.x, row.y) for row in rows], np.float64).reshape(-1, 2),
        scores=np.array([row.score for row in rows], np.float64),
        is_figure=np.array([row.name == FIGURE_NAME for row in rows], bool),
        other_names={
            name: number
            for name, number in names.items()
            if name not in (FIGURE_NAME, NON_FIGURE_NAME)
        },
    )


class _Point(NamedTuple):
    x: float
    y: float
    score: float
    name: str


def _read_point(point: Any, where: str) -> _Point:
    """Return x mm, y mm, probability (NaN: none) and name of a point."""
    if not isinstance(point, dict):
        raise DetectionsError(f"{where} is {str(point)[:40]!r}", "write an object with `point`")
    place, score = point.get("point"), point.get("probability", math.nan)
    if not isinstance(place, list) or len(place) not in (2, 3) or not all(map(_is_number, place)):
        raise DetectionsError(
            f"{where}: `point` is {str(place)[:60]}", "write two or three numbers, in millimetres"
        )
    if "probability" in point and not (_is_number(score) and 0 <= score <= 1):
        raise DetectionsError(
            f"{where}: `probability` is {str(score)[:40]!r}", "write a number from 0 to 1"
        )
    name = str(point.get("name", FIGURE_NAME))
    return _Point(float(place[0]), float(place[1]), float(score), name)


def interface_of(entry: Any) -> dict[str, Any]:
    """What an input or output of a job of grand-challenge is of, by the platform's words; empty
    where it says nothing. Newer files name it the entry's socket, older ones its interface."""
    own = entry if isinstance(entry, dict) else {}
    interface = own.get("socket") or own.get("interface")
    return interface if isinstance(interface, dict) else {}


def _is_number(value: Any) -> bool:
    """Whether it is a number that no place is farther than."""
    return is_number(value) and abs(value) < 1e12
