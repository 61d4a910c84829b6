"""What QuPath 0.7 makes of a GeoJSON file, by the rules of its own reader, key by key.

The rules are those of `GsonTools.parseObjectsFromGeoJSON`, `QuPathTypeAdapters` and
`ROITypeAdapters` in qupath-core: what would end its import raises here, what it passes over is
passed over.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GEOMETRIES = {"Point": 0, "MultiPoint": 1, "LineString": 1, "Polygon": 2, "MultiPolygon": 3}
"""How deep the coordinates of a geometry are nested around its points."""
_LEGACY = {"PathDetectionObject": "detection", "PathAnnotationObject": "annotation"}


@dataclass
class PathObject:
    """An object of QuPath's hierarchy. points: all of its geometry, to 0.01 px."""

    type: str
    geometry: str
    points: list[tuple[float, float]]
    class_name: str | None = None
    class_color: tuple[int, ...] | None = None
    measurements: dict[str, float] = field(default_factory=dict)
    name: str | None = None
    color: tuple[int, ...] | None = None
    locked: bool = False
    id: uuid.UUID | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    plane: tuple[int, int, int] = (-1, 0, 0)
    ellipse: bool = False
    nucleus: list[tuple[float, float]] | None = None
    missing: bool = False
    children: list[PathObject] = field(default_factory=list)


def read_objects(path: Path) -> list[PathObject]:
    """As `PathIO.readObjects`: by the ending, in lower case."""
    name, content = path.name.lower(), path.read_bytes()
    if name.endswith(".gz"):
        name, content = name.removesuffix(".gz"), gzip.decompress(content)
    if not name.endswith((".json", ".geojson")):
        return []
    return _objects(json.loads(content.decode("utf-8")))


def _objects(element: Any) -> list[PathObject]:
    if isinstance(element, list):
        return [made for inner in element for made in _objects(inner)]
    if not isinstance(element, dict) or "type" not in element:
        return []
    if element["type"] == "Feature":
        return [_feature(element)]
    if element["type"] == "FeatureCollection":
        features = element.get("features")
        return [_feature(one) for one in features] if isinstance(features, list) else []
    if element["type"] in GEOMETRIES:
        return [PathObject("annotation", *_geometry(element))]
    return []


def _feature(feature: dict[str, Any]) -> PathObject:
    made = PathObject("unknown", *_geometry(feature["geometry"]))
    if "id" in feature:
        if str(feature["id"]) in _LEGACY:
            made.type = _LEGACY[str(feature["id"])]
        else:
            with contextlib.suppress(ValueError):
                made.id = uuid.UUID(str(feature["id"]))
    if "plane" in feature["geometry"]:
        plane = feature["geometry"]["plane"]
        made.plane = (plane.get("c", -1), plane.get("z", 0), plane.get("t", 0))
    made.ellipse = bool(feature["geometry"].get("isEllipse"))
    if "nucleusGeometry" in feature:
        made.nucleus = _geometry(feature["nucleusGeometry"])[1]
    if "properties" in feature:
        _read_properties(made, feature["properties"])
    made.type = "annotation" if made.type == "unknown" else made.type
    return made


def _read_properties(made: PathObject, properties: dict[str, Any]) -> None:
    if "name" in properties:
        made.name = _primitive(properties["name"])
    if isinstance(properties.get("color"), list) and len(properties["color"]) == 3:
        made.color = tuple(int(part) for part in properties["color"])
    if "classification" in properties:
        made.class_name, made.class_color = _class(properties["classification"])
    made.missing = bool(properties.get("isMissing", False))
    made.locked = bool(properties.get("isLocked", False))
    if isinstance(properties.get("measurements"), list):
        made.measurements = {row["name"]: float(row["value"]) for row in properties["measurements"]}
    elif isinstance(properties.get("measurements"), dict):
        made.measurements = {key: float(v) for key, v in properties["measurements"].items()}
    if isinstance(properties.get("metadata"), dict):
        made.metadata = {key: str(value) for key, value in properties["metadata"].items()}
    for key in ("objectType", "object_type", "type"):
        if key in properties:
            made.type = _primitive(properties[key])
            break
    children = "childObjects" if "childObjects" in properties else "children"
    if isinstance(properties.get(children), list):
        made.children = [_feature(child) for child in properties[children]]


def _class(value: Any) -> tuple[str | None, tuple[int, ...] | None]:
    if value is None:
        return None, None
    if isinstance(value, str):
        return value, None
    if isinstance(value, dict) and ({"name", "names"} & set(value)) and "color" in value:
        color = value["color"]
        assert len(color) in (0, 1, 3, 4)
        assert all(isinstance(part, int) for part in color)
        name = value["name"] if "name" in value else ": ".join(value["names"])
        return name, tuple(color)
    raise ValueError(f"Unable to parse PathClass from {value}")


def _geometry(geometry: dict[str, Any]) -> tuple[str, list[tuple[float, float]]]:
    kind, points = geometry["type"], geometry["coordinates"]
    depth = GEOMETRIES[kind]
    if kind in ("Polygon", "MultiPolygon"):
        polygons = [points] if kind == "Polygon" else points
        for ring in (ring for polygon in polygons for ring in polygon):
            assert len(ring) >= 4, "JTS: a ring is of 4 points"
            assert ring[0] == ring[-1], "and closed"
            xs, ys = zip(*ring, strict=True)
            assert max(xs) - min(xs) >= 0.01 <= max(ys) - min(ys), "it is reduced to nothing"
    for _ in range(depth - 1):
        points = [inner for outer in points for inner in outer]
    points = [points] if depth == 0 else points
    return kind, [(round(float(x), 2), round(float(y), 2)) for x, y in points]


def _primitive(value: Any) -> str:
    assert not isinstance(value, list | dict), "getAsString of what is no primitive"
    return str(value)
