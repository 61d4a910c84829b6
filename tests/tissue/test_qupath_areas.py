"""Polygons of QuPath's GeoJSON are read in each of its wrappings; whatever is wrong is one line."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midog.errors import DataError
from midog.tissue.qupath_areas import read_areas

SQUARE = [[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 2]]


def feature(kind: str, coordinates: Any, name: str | None = None) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": "annotation"}
    if name is not None:
        properties["classification"] = {"name": name, "color": [200, 0, 0]}
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "id": "a", "geometry": geometry, "properties": properties}


def write(path: Path, tree: Any) -> Path:
    path.write_text(json.dumps(tree))
    return path


def wrapped(features: list[dict[str, Any]], how: str) -> Any:
    geometry = features[0]["geometry"]
    return {
        "collection": {"type": "FeatureCollection", "features": features},
        "list": features,
        "feature": features[0],
        "geometry": geometry,
        "geometries": {"type": "GeometryCollection", "geometries": [geometry]},
    }[how]


@pytest.mark.parametrize("how", ["collection", "list", "feature", "geometry", "geometries"])
def test_a_polygon_with_a_hole_is_read_however_it_is_wrapped(tmp_path: Path, how: str) -> None:
    tree = wrapped([feature("Polygon", [SQUARE, HOLE])], how)
    (area,) = read_areas(write(tmp_path / "a.geojson", tree))
    assert not area.is_cut
    assert [ring.tolist() for ring in area.rings] == [SQUARE, HOLE]
    zipped = tmp_path / "a.geojson.gz"
    zipped.write_bytes(gzip.compress(json.dumps(tree).encode()))
    (again,) = read_areas(zipped)
    np.testing.assert_array_equal(again.rings[0], area.rings[0])


def test_polygons_points_and_ignored_classes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    features = [
        feature("MultiPolygon", [[SQUARE], [HOLE]], "Tumor"),
        feature("Polygon", [HOLE], "Ignore*"),
        feature("Point", [3, 4]),
        feature("LineString", [[3, 4], [5, 6]]),
        feature("MultiPoint", [[3, 4]]),
        feature("Point", [3, 5]),
    ]
    with caplog.at_level(logging.INFO):
        areas = read_areas(write(tmp_path / "a.geojson", wrapped(features, "collection")))
    assert [area.is_cut for area in areas] == [False, False, True]
    assert "left out, as they are no areas: 1 LineString, 1 MultiPoint, 2 Point" in caplog.text
    assert "1 areas of a class that ends with * are cut out" in caplog.text


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"type": "FeatureCollection"}, "no list `features`"),
        ({"points": []}, "no list `features`"),
        ([], "holds no polygon"),
        ([feature("Point", [1, 2])], "holds no polygon"),
        ([feature("Polygon", [SQUARE], "Region*")], "holds no polygon"),
        (["a"], "feature 1 is no object"),
        ([feature("Polygon", [SQUARE]), {"type": "Feature"}], "feature 2 has no geometry"),
        ([{"type": "Feature", "geometry": {"type": 3}}], "feature 1 has no geometry"),
        ([feature("Polygon", [])], "feature 1: its coordinates are no polygon's"),
        ([feature("Polygon", [[[1, 2], [3, 4], [1, 2]]])], "a ring has 2 points"),
        ([feature("Polygon", [[[1, 2], [3, "a"], [1, 2]]])], r"\[3, 'a'\] is no point"),
        ([feature("Polygon", [[[1, 2], [3, 1e300], [1, 2]]])], "is no point"),
        ([feature("Polygon", [[[1, 2], [True, 1], [1, 2]]])], "is no point"),
        ([feature("Polygon", [[[1, 2], [float("nan"), 1], [1, 2]]])], "is no point"),
        ([feature("Polygon", {"x": 1})], "no polygon's"),
    ],
)
def test_whatever_is_wrong_is_named(tmp_path: Path, tree: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_areas(write(tmp_path / "a.geojson", tree))


def test_files_that_are_no_json_or_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(b"[]" * 999)[:-9])
    with pytest.raises(DataError, match="cut short"):
        read_areas(path)
    path.write_bytes(b"PK\3\4")
    with pytest.raises(DataError, match="is not"):
        read_areas(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_areas(tmp_path / "none.geojson")
