"""Grand Challenge's 'Multiple points' as the MIDOG challenge takes them: written and read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from midog.boxes import Detections
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.shared import FIGURE_NAME, NON_FIGURE_NAME, DetectedPoints, shortest
from midog.json_text import to_json

_TYPE = "Multiple points"


def write_challenge(path: Path, detections: Detections, *, mpp: float, threshold: float) -> None:
    """Write class 1 as 'Multiple points' in millimetres, by falling score.

    The name of a point is 'mitotic figure' for a score >= threshold, else 'non-mitotic figure'.
    Every point has its score as probability, in the fewest digits that name that float32. The same
    detections give the same bytes.

    Args:
        path: The file to replace; missing folders on the way are made.
        detections: Boxes in level-0 px.
        mpp: um/px of level 0; a point is px * mpp / 1000.
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
            (figures.centers * mpp / 1000).tolist(), figures.scores, above, strict=True
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

    As for the challenge's own scorer, a point without a name is a mitotic figure.

    Args:
        path: A JSON file with points of two or three numbers, in millimetres.

    Raises:
        DetectionsError: If it is no such file; names the file and the point, counted from 1.
    """
    points = _read_points(path)
    rows = [_read_point(point, f"{path} point {number}") for number, point in enumerate(points, 1)]
    return DetectedPoints(
        points_mm=np.array([row[:2] for row in rows], np.float64).reshape(-1, 2),
        scores=np.array([row[2] for row in rows], np.float64),
        is_figure=np.array([row[3] for row in rows], bool),
    )


def _read_points(path: Path) -> list[Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DetectionsError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DetectionsError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("points"), list):
        raise DetectionsError(
            f"{path} has no list `points`", f"give Grand Challenge JSON of type '{_TYPE}'"
        )
    if document.get("type", _TYPE) != _TYPE:
        raise DetectionsError(
            f"{path} is of type {document['type']!r}", f"give JSON of type '{_TYPE}'"
        )
    points: list[Any] = document["points"]
    return points


def _read_point(point: Any, where: str) -> tuple[float, float, float, bool]:
    """Return x mm, y mm, probability (NaN: none) and whether it is a mitotic figure."""
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
    is_figure = point.get("name", FIGURE_NAME) == FIGURE_NAME
    return float(place[0]), float(place[1]), float(score), is_figure


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that float() takes, and neither true nor false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
