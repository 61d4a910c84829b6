"""Areas in a GeoJSON file, as QuPath writes its annotations: polygons in level-0 px."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from midog.errors import DataError
from midog.gzipped import read_unpacked
from midog.json_text import is_number, parse_json
from midog.tissue.rings import Ring

logger = logging.getLogger(__name__)

_FIX = "export the annotations from QuPath as GeoJSON (File, Export objects as GeoJSON)"
_LARGEST = 1 << 28  # bytes of JSON
_FARTHEST_PX = 1e7  # no slide is as wide


class Area(NamedTuple):
    """An area of an image.

    rings: the outer one, and those of its holes, level-0 px.
    is_cut: it is taken away from the others.
    """

    rings: tuple[Ring, ...]
    is_cut: bool


@dataclass
class _File:
    """What was read of a file so far."""

    path: Path
    areas: list[Area]
    left_out: Counter[str]


def read_areas(path: Path) -> list[Area]:
    """Read the polygons of a GeoJSON file, gzipped or not.

    Of whatever class they are, polygons are areas; those of a class whose name ends with `*`, as
    QuPath's `Ignore*`, are cut out of the others. Points and lines are left out, with a line that
    counts them.

    Args:
        path: A FeatureCollection, a Feature, a list of Features, or a geometry; coordinates x y in
            level-0 px.

    Raises:
        DataError: If it is no such file, or holds no polygon; names the feature, counted from 1.
    """
    text = read_unpacked(path, DataError, limit=_LARGEST)
    tree = parse_json(text, str(path), DataError, _FIX)
    file = _File(path, [], Counter())
    for number, feature in enumerate(_features(tree, path), 1):
        where = f"{path} feature {number}"
        if not isinstance(feature, Mapping):
            raise DataError(f"{where} is no object", _FIX)
        is_feature = feature.get("type") == "Feature"
        geometry = feature.get("geometry") if is_feature else feature
        file.areas += _areas_of(geometry, _is_cut(feature), where, file.left_out)
    if file.left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(file.left_out.items()))
        logger.warning("%s: left out, as they are no areas: %s", path, kinds)
    if cut := sum(area.is_cut for area in file.areas):
        logger.info("%s: %d areas of a class that ends with * are cut out", path, cut)
    if all(area.is_cut for area in file.areas):
        raise DataError(f"{path} holds no polygon to look in", _FIX)
    return file.areas


def _features(tree: Any, path: Path) -> Sequence[Any]:
    if isinstance(tree, Mapping) and tree.get("type") == "FeatureCollection":
        tree = tree.get("features")
    elif isinstance(tree, Mapping) and isinstance(tree.get("type"), str):
        return [tree]
    if not isinstance(tree, list):
        raise DataError(f"{path} is no GeoJSON: it has no list `features`", _FIX)
    return tree


def _is_cut(feature: Mapping[str, Any]) -> bool:
    """Whether its class is one of those that QuPath ignores."""
    properties = feature.get("properties")
    kind = properties.get("classification") if isinstance(properties, Mapping) else None
    name = kind.get("name") if isinstance(kind, Mapping) else None
    return isinstance(name, str) and name.endswith("*")


def _areas_of(geometry: Any, is_cut: bool, where: str, left_out: Counter[str]) -> Iterator[Area]:
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if not isinstance(kind, str):
        raise DataError(f"{where} has no geometry with a `type`", _FIX)
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
        for part in parts if isinstance(parts, list) else ():
            yield from _areas_of(part, is_cut, where, left_out)
        return
    coordinates = geometry.get("coordinates")
    polygons = {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(kind)
    if polygons is None:
        left_out[kind] += 1
        return
    for polygon in _some(polygons, where):
        yield Area(tuple(_ring(ring, where) for ring in _some(polygon, where)), is_cut)


def _ring(points: Any, where: str) -> Ring:
    rows = [_point(point, where) for point in _some(points, where)]
    if len(set(rows)) < 3:
        raise DataError(
            f"{where}: a ring has {len(set(rows))} points", "draw it with three or more"
        )
    return np.array(rows, np.float64)


def _point(point: Any, where: str) -> tuple[float, float]:
    is_point = isinstance(point, list) and len(point) >= 2
    if not is_point or not all(
        is_number(value) and abs(value) < _FARTHEST_PX for value in point[:2]
    ):
        raise DataError(f"{where}: {str(point)[:60]} is no point", "write x and y in px of level 0")
    return float(point[0]), float(point[1])


def _some(values: Any, where: str) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise DataError(f"{where}: its coordinates are no polygon's: {str(values)[:60]}", _FIX)
    return values
