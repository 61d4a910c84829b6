"""Detections are read back from GeoJSON as they were written, and as QuPath exports them."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.formats.geojson import write_geojson
from midog.formats.geojson_points import read_geojson_points
from midog.mpp import Mpp
from tests.formats.cases import NOTHING, SOME, TOLD


def feature(name: str | None, measurements: Any = None, **geometry: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": "annotation"}
    if name is not None:
        properties["classification"] = {"name": name, "color": [1, 2, 3]}
    if measurements is not None:
        properties["measurements"] = measurements
    shape = {"type": "Point", "coordinates": [40.5, 30]} | geometry
    return {"type": "Feature", "geometry": shape, "properties": properties}


def read(folder: Path, *features: Any) -> Any:
    path = folder / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return read_geojson_points(path)


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
@pytest.mark.parametrize("told", [None, TOLD])
def test_what_is_written_is_read_back(tmp_path: Path, name: str, told) -> None:
    origin = (1000, 2000)
    write_geojson(tmp_path / name, [SOME], threshold=0.7, origin=origin, atypical=told)
    own = read_geojson_points(tmp_path / name)
    figures = SOME.figures()
    points = own.in_mm(Mpp.of(0.25, 0.5), origin)
    expected = figures.centers * [0.25, 0.5] / 1000
    np.testing.assert_allclose(points.points_mm, expected, atol=0.005e-3)
    assert np.float32(own.scores).tolist() == figures.scores.tolist()
    assert own.is_figure.tolist() == [False, True, True]
    assert own.other_names == {}


def test_no_detections_and_an_empty_file_are_none(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", [NOTHING], threshold=0.5)
    assert len(read_geojson_points(tmp_path / "a.geojson").scores) == 0
    (tmp_path / "a.geojson").write_bytes(b"")
    assert read_geojson_points(tmp_path / "a.geojson").points_px.shape == (0, 2)


def test_objects_of_qupath_are_figures_by_their_class(tmp_path: Path) -> None:
    square = [[[10, 20], [30, 20], [30, 60], [10, 60], [10, 20]]]
    own = read(
        tmp_path,
        feature("Mitosis", {"probability": 0.75, "Area": 3}, type="Polygon", coordinates=square),
        feature("imposter", [{"name": "probability", "value": 0.25}]),
        feature("Tumor"),
        feature(None),
        feature("mitosis", type="MultiPoint", coordinates=[[1, 2], [3, 4]]),
    )
    assert own.points_px.tolist() == [[20, 40], [40.5, 30], [40.5, 30], [40.5, 30], [1, 2], [3, 4]]
    assert own.is_figure.tolist() == [True, False, False, False, True, True]
    assert own.scores[:2].tolist() == [0.75, 0.25]
    assert all(map(math.isnan, own.scores[2:]))
    assert own.other_names == {"Tumor": 1, "Unclassified": 1}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (feature("mitosis", {"probability": 75}), "object 1: its `probability` is '75'"),
        (feature("mitosis", {"probability": "high"}), "its `probability` is 'high'"),
        (feature("mitosis", type="LineString", coordinates=[[1, 2], [3, 4]]), "is a LineString"),
        (feature(7), "object 1: its class is 7"),
        ({"type": "Topology"}, "object 1 is no feature"),
    ],
)
def test_what_is_no_detection_is_one_line(tmp_path: Path, tree: Any, words: str) -> None:
    with pytest.raises(DetectionsError) as error:
        read(tmp_path, tree)
    assert words in str(error.value)
    assert "a.geojson" in str(error.value)


def test_damage_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(b'{"type": "FeatureCollection", "features": []}')[:-9])
    with pytest.raises(DetectionsError, match=r"a\.geojson\.gz is"):
        read_geojson_points(path)
    path.write_text("{")
    with pytest.raises(DetectionsError, match="is not JSON"):
        read_geojson_points(path)
