"""What the challenge's scorer, or the platform before it, refuses in one file of points.

The scorer is `evaluate.py` of the organisers' evaluation container for MIDOG 2025, track 1 (see
`midog.submission.contract`). It ends at the first of these, and with it the whole submission. The
platform holds each output to its schema of 'Multiple points' (`MPOI` in components/schemas.py of
github.com/comic/grand-challenge.org), which forbids further keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from midog.formats.shared import FIGURE_NAME, NON_FIGURE_NAME
from midog.json_text import is_number
from midog.submission.contract import HIGHEST_MM, LOWEST_MM

_TYPE = "Multiple points"
_KEYS = {"name", "type", "points", "version"}
_POINT_KEYS = {"name", "type", "point", "probability"}
_NAMES = (FIGURE_NAME, NON_FIGURE_NAME)


def refusals_of(document: Any) -> list[str]:
    """List all that is refused in the JSON of one file; the order of keys does not matter.

    Returns:
        Clauses, such as "point 3 has no `probability`", points counted from 1; empty where the file
        is accepted.
    """
    if not isinstance(document, dict):
        return [f"the file holds {_short(document)}, not an object with `points`"]
    return [*_of_document(document), *_of_points(document)]


def _of_document(document: dict[str, Any]) -> Iterator[str]:
    """What the platform's schema demands of the file."""
    if document.get("type") != _TYPE:
        stated = f"is {_short(document['type'])}" if "type" in document else "is missing"
        yield f"`type` {stated}: the platform takes '{_TYPE}'"
    version = document.get("version")
    if (
        not isinstance(version, dict)
        or set(version) != {"major", "minor"}
        or not all(is_number(part) and part >= 0 and part % 1 == 0 for part in version.values())
    ):
        stated = f"is {_short(version)}" if "version" in document else "is missing"
        yield f"`version` {stated}: the platform takes {{'major': 1, 'minor': 0}}"
    if not isinstance(document.get("name", ""), str):
        yield f"`name` is {_short(document['name'])}, not a text"
    yield from (f"the key {_short(key)} is unknown" for key in document if key not in _KEYS)


def _of_points(document: dict[str, Any]) -> Iterator[str]:
    if "points" not in document:
        yield "`points` is missing"
        return
    points = document["points"]
    if not isinstance(points, list):
        yield f"`points` is {_short(points)}, not a list"
        return
    for number, point in enumerate(points, 1):
        yield from (f"point {number} {words}" for words in _of_point(point))


def _of_point(point: Any) -> Iterator[str]:
    if not isinstance(point, dict):
        yield f"is {_short(point)}, not an object"
        return
    yield from (f"has no `{key}`" for key in ("name", "probability", "point") if key not in point)
    if "name" in point and point["name"] not in _NAMES:
        yield f"has the `name` {_short(point['name'])}, neither '{_NAMES[0]}' nor '{_NAMES[1]}'"
    if "probability" in point:
        score = point["probability"]
        if not (is_number(score) and 0 <= score <= 1):
            yield f"has the `probability` {_short(score)}, not a number from 0 to 1"
    if "point" in point:
        yield from _of_place(point["point"])
    if point.get("type", "Point") != "Point":
        yield f"has the `type` {_short(point['type'])}: the platform takes 'Point' or none"
    yield from (f"has the unknown key {_short(key)}" for key in point if key not in _POINT_KEYS)


def _of_place(place: Any) -> Iterator[str]:
    if not isinstance(place, list) or len(place) != 3 or not all(map(is_number, place)):
        yield f"is at {_short(place)}, not three numbers x, y, 0 in mm"
        return
    for axis, value in zip("xy", place, strict=False):
        if value < LOWEST_MM:
            yield f"is at {axis} {value:g} mm, below {LOWEST_MM:g}"
        elif value > HIGHEST_MM:
            yield f"is at {axis} {value:g} mm, over {HIGHEST_MM:g}: is that px?"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
