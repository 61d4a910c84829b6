"""GeoJSON as QuPath exports it: the points and polygons of objects, one file per image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.class_names import AREA
from midog.data.annotations.figures import Annotations, is_coordinate
from midog.data.annotations.json_records import parse_bounded
from midog.data.annotations.per_image import Part, PartScan, read_parts
from midog.data.annotations.reader import GEOJSON_ENDINGS, AnnotationFile, BoxChoice
from midog.data.find_images import with_images
from midog.data.roi import Roi
from midog.data.text_file import Problems
from midog.errors import DataError, ImageError
from midog.images.image import SLIDE_SUFFIXES, open_image

UNCLASSIFIED = "Unclassified"
"""QuPath's word for an object without a class."""

_FIX = "export it anew from QuPath as GeoJSON"
_AREA_FIX = "draw it as a rectangle, or leave its class out with NAME=skip"
_WIDE_PX = 400
"""A figure of 100 um at 0.25 um/px: 8 times as wide as figures are."""
_DEPTH = {"Point": 0, "MultiPoint": 1, "Polygon": 2, "MultiPolygon": 3}
"""How deep the coordinates of a geometry are nested around its points."""
_NO_FIGURES = ("root", "PathRootObject", "tmaCore", "tma_core", "TMACoreObject")


def read_geojson(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read the objects of QuPath, as `Reader.read`, and the objects in them.

    A point is a figure, each of several points is one, a polygon or several is one in the middle
    of its box. What is no figure (regions, cells) needs its class in `data.classes`; rectangles of
    a class that it calls an area are areas. QuPath counts from the corner of a slide's bounds, so
    that is added.
    """
    scan = _Scanner(file).scan
    return read_parts(file, "QuPath GeoJSON", scan, endings=GEOJSON_ENDINGS, areas=True)


class _Scanner:
    """Reads file by file; knows where their images are."""

    def __init__(self, file: AnnotationFile) -> None:
        self._folder, self._names = file.images, file.class_names()

    def scan(self, scan: PartScan, part: Part) -> None:
        """Note the figures of one file."""
        if not part.text.strip():  # an image without figures
            return
        left, top = self._origin(part.image)
        if (left, top) != (0, 0):
            scan.notes.append(
                f"{part.path.name}: moved by {left}, {top} px, the corner of the slide's bounds,"
                " from which QuPath counts"
            )
        other_planes, wide = 0, Counter[str]()
        tree = parse_bounded(part.path, part.text, _FIX, equal_twice=True)
        for where, feature in features(part.path, tree):
            try:
                points = list(points_of(where, feature["geometry"]))
                name = class_of(where, feature["properties"])
                box = _box_of(feature["geometry"])
                if self._names.label_of(name) == AREA:
                    x1, y1, x2, y2 = _rectangle(where, feature["geometry"], box)
                    scan.add_area(where, part, name, (x1 + left, y1 + top, x2 + left, y2 + top))
                    continue
            except DataError as error:
                scan.problems.append(error)
                continue
            other_planes += _is_other_plane(feature["geometry"])
            wide[name] += box is not None and max(box[2] - box[0], box[3] - box[1]) > _WIDE_PX
            for x, y in points:
                scan.add(where, part, name, x + left, y + top, _FIX)
        scan.notes.extend(self._doubts(part, wide))
        if other_planes:
            scan.notes.append(
                f"{part.path.name}: {other_planes} objects are in other planes (z, t) of the image,"
                " and are read as of the first"
            )

    def _doubts(self, part: Part, wide: Counter[str]) -> Iterator[str]:
        """Lines on figures that are drawn as large as areas."""
        for name, count in wide.items():
            if count and self._names.label_of(name) in (MITOTIC_FIGURE, IMPOSTER):
                yield (
                    f"{part.path.name}: {count} objects of class {name!r} are over {_WIDE_PX} px"
                    " wide or high: each is read as one figure in its middle; if they are areas,"
                    f' state it by data.classes, as "{name}=area", or leave them out with skip'
                )

    def _origin(self, name: str) -> tuple[int, int]:
        """The corner of the bounds of a slide, level-0 px; (0, 0) of any other image."""
        if self._folder is None or Path(name).suffix.lower() not in SLIDE_SUFFIXES:
            return (0, 0)
        path = with_images([Roi(name)], self._folder)[0].path
        if path is None:
            return (0, 0)
        try:
            with open_image(path) as image:
                return image.origin
        except ImageError as error:  # its px cannot be placed
            raise DataError(error.what, error.fix) from None


def features(path: Path, tree: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file that are figures or regions, those inside others after these, each
    with words that name it; with `properties`, an object, and `geometry`.

    QuPath reads a collection, a list of features, a feature and a bare geometry.

    Raises:
        DataError: one is none of these.
    """
    waiting, number = [tree], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one))
            continue
        kind = one.get("type") if isinstance(one, dict) else None
        if kind == "FeatureCollection" and isinstance(one.get("features"), list):
            waiting.extend(reversed(one["features"]))
            continue
        number += 1
        where = f"{path}: object {number}"
        if isinstance(kind, str) and kind in _DEPTH:
            yield where, {"geometry": one, "properties": {}}
            continue
        if kind != "Feature":
            raise DataError(f"{where} is no feature of GeoJSON, its type is {kind!r:.40}", _FIX)
        properties = one.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        for key in ("childObjects", "children"):
            if isinstance(properties.get(key), list):
                waiting.extend(reversed(properties[key]))
                break
        words = [properties.get(key) for key in ("objectType", "object_type", "type")]
        if next((word for word in (*words, one.get("id")) if word), "") not in _NO_FIGURES:
            yield where, {"geometry": one.get("geometry"), "properties": properties}


def class_of(where: str, properties: dict[str, Any]) -> str:
    """The name of an object's class, as QuPath shows it."""
    stated = properties.get("classification")
    if isinstance(stated, dict):
        names = stated.get("names")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return ": ".join(names)
        stated = stated.get("name")
    if stated is None:
        return UNCLASSIFIED
    if not isinstance(stated, str):
        raise DataError(f"{where}: its class is {stated!r:.60}", _FIX)
    return stated.strip() or UNCLASSIFIED


def points_of(where: str, geometry: Any) -> Iterator[tuple[float, float]]:
    """The centres of the figures that a geometry stands for, px."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(kind, str) or kind not in _DEPTH:
        what = f"{where} is {'a ' + kind if isinstance(kind, str) else 'without a geometry'}"
        raise DataError(f"{what:.120}", "give points and polygons; remove it in QuPath")
    points: Any = geometry.get("coordinates")
    points = [points] if _DEPTH[kind] == 0 else points
    for _ in range(_DEPTH[kind] - 1):
        if not isinstance(points, list) or not all(isinstance(inner, list) for inner in points):
            raise DataError(f"{where}: its coordinates are no {kind}'s", _FIX)
        points = [inner for outer in points for inner in outer]
    if not isinstance(points, list) or not points or not all(map(_is_point, points)):
        raise DataError(f"{where}: its coordinates are no {kind}'s", _FIX)
    if kind in ("Point", "MultiPoint"):
        yield from ((point[0], point[1]) for point in points)
        return
    (x1, x2), (y1, y2) = ((min(p[i] for p in points), max(p[i] for p in points)) for i in (0, 1))
    yield (x1 + x2) / 2, (y1 + y2) / 2


def _box_of(geometry: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """x1 y1 x2 y2 around a polygon or several, px; None of points."""
    rings: Any = geometry["coordinates"]
    if geometry["type"] == "MultiPolygon":
        rings = [ring for polygon in rings for ring in polygon]
    elif geometry["type"] != "Polygon":
        return None
    xs, ys = ([point[axis] for ring in rings for point in ring] for axis in (0, 1))
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def _rectangle(
    where: str, geometry: dict[str, Any], box: tuple[float, float, float, float] | None
) -> tuple[float, float, float, float]:
    """The box of a rectangle with upright sides.

    Raises:
        DataError: It is none.
    """
    if geometry["type"] == "Polygon" and box is not None and len(geometry["coordinates"]) == 1:
        corners = [tuple(point[:2]) for point in geometry["coordinates"][0]]
        x1, y1, x2, y2 = box
        upright = {(x1, y1), (x2, y1), (x2, y2), (x1, y2)}
        if set(corners) == upright and len(corners) == len(upright) + 1 and x1 < x2 and y1 < y2:
            return box
    raise DataError(f"{where} is an area and no upright rectangle", _AREA_FIX)


def _is_point(value: Any) -> bool:
    """Whether it is x, y and maybe z, finite numbers that are no truth values."""
    return isinstance(value, list) and len(value) in (2, 3) and all(map(is_coordinate, value))


def _is_other_plane(geometry: dict[str, Any]) -> bool:
    plane = geometry.get("plane")
    return isinstance(plane, dict) and any(plane.get(key) not in (0, None) for key in ("z", "t"))
