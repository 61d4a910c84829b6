"""The detections of a GeoJSON file, as midog writes it and QuPath exports it, read to be scored."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.class_names import label_of
from midog.data.annotations.geojson import class_of, features, points_of
from midog.errors import DataError, DetectionsError
from midog.formats.shared import DetectedPixels
from midog.gzipped import read_unpacked
from midog.json_text import is_number, parse_json

_FIX = "export the detections anew as GeoJSON"
_LARGEST = 1 << 28  # bytes of JSON
_PROBABILITY = "probability"


def read_geojson_points(path: Path) -> DetectedPixels:
    """Read the objects of a file, packed by gzip or not: a figure in the middle of each.

    A class that the field calls a mitotic figure or a look-alike is that, atypical and normal
    figures too; objects of other classes, or of none, are no figures, and are counted by their
    class. The score is the measurement `probability`.

    Args:
        path: A FeatureCollection, a list of Features, a Feature, or a geometry; coordinates x y in
            level-0 px, from the corner of a slide's bounds.

    Raises:
        DetectionsError: It is no such file, or a probability is none; names the object, from 1.
    """
    text = read_unpacked(path, DetectionsError, limit=_LARGEST)
    places, scores, are_figures = list[tuple[float, float]](), list[float](), list[bool]()
    others = Counter[str]()
    tree = parse_json(text, str(path), DetectionsError, _FIX, equal_twice=True) if text else []
    try:
        for where, feature in features(path, tree):
            name = class_of(where, feature["properties"])
            score, label = _score_of(where, feature["properties"]), label_of(name)
            for place in points_of(where, feature["geometry"]):
                places.append(place)
                scores.append(score)
                are_figures.append(label == MITOTIC_FIGURE)
                others[name] += label not in (MITOTIC_FIGURE, IMPOSTER)
    except DataError as error:
        raise DetectionsError(error.what, error.fix) from None
    return DetectedPixels(
        np.array(places, np.float64).reshape(-1, 2),
        np.array(scores, np.float64),
        np.array(are_figures, bool),
        {name: count for name, count in others.items() if count},
    )


def _score_of(where: str, properties: dict[str, Any]) -> float:
    """The probability that an object states; NaN where it states none."""
    stated = properties.get("measurements")
    if isinstance(stated, list):  # of QuPath before 0.4
        pairs = [one for one in stated if isinstance(one, dict)]
        stated = {str(one.get("name")): one.get("value") for one in pairs}
    score = stated.get(_PROBABILITY) if isinstance(stated, dict) else None
    if score is None:
        return float("nan")
    if not (is_number(score) and 0 <= score <= 1):
        raise DetectionsError(
            f"{where}: its `{_PROBABILITY}` is {str(score)[:40]!r}", "write a number from 0 to 1"
        )
    return float(score)
