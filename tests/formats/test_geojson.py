"""QuPath reads what is written: every key that its reader takes, the origin, any number of them."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Detections, squares_around
from midog.data.annotations.class_names import label_of
from midog.errors import DetectionsError
from midog.formats.atypical import AtypicalScores
from midog.formats.geojson import write_geojson
from midog.formats.registry import FORMATS
from tests.formats.cases import NOTHING, SOME, TOLD
from tests.formats.qupath import read_objects
from tests.formats.test_registry import image


@pytest.mark.parametrize("name", ["001.geojson", "001.geojson.gz"])
def test_qupath_reads_detections_with_class_colour_and_probability(
    tmp_path: Path, name: str
) -> None:
    write_geojson(tmp_path / name, [SOME], threshold=0.7)
    objects = read_objects(tmp_path / name)
    assert [one.type for one in objects] == ["detection"] * 3, "class 2 is no figure"
    assert [one.class_name for one in objects] == [
        *("non-mitotic figure", "mitotic figure", "mitotic figure")
    ]
    assert [one.class_color for one in objects] == [(0, 110, 255), (0, 215, 70), (0, 215, 70)]
    assert [one.measurements for one in objects] == [
        {"probability": score} for score in (0.3, 0.9, 0.7)
    ]
    for one, (x1, y1, x2, y2) in zip(objects, SOME.boxes, strict=False):
        assert one.geometry == "Polygon"
        assert one.points == [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]


def test_of_each_key_that_qupath_takes_a_detection_has_what_it_should(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", [SOME], threshold=0.5)
    tree = json.loads((tmp_path / "a.geojson").read_text())
    assert set(tree) == {"type", "features"}
    assert tree["type"] == "FeatureCollection"
    for feature in tree["features"]:
        assert list(feature) == ["type", "geometry", "properties"], "QuPath gives the id"
        assert list(feature["geometry"]) == ["type", "coordinates"], "no plane, no ellipse"
        properties = feature["properties"]
        assert list(properties) == ["objectType", "classification", "measurements"]
        assert list(properties["classification"]) == ["name", "color"], "either alone is an error"
    for one in read_objects(tmp_path / "a.geojson"):
        assert (one.plane, one.ellipse, one.nucleus) == ((-1, 0, 0), False, None)
        assert (one.name, one.color, one.locked, one.missing) == (None, None, False, False)
        assert (one.metadata, one.children, one.id) == ({}, [], None)


def test_px_count_from_the_corner_of_the_bounds(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", [SOME], threshold=0.5, origin=(1000, 20))
    assert read_objects(tmp_path / "a.geojson")[0].points[0] == (75 - 1000, 25 - 20)
    FORMATS["geojson"].write(tmp_path / "b.geojson", image(origin=(1000, 20)))
    assert (tmp_path / "b.geojson").read_bytes() == (tmp_path / "a.geojson").read_bytes()


def test_boxes_that_round_to_nothing_are_points(tmp_path: Path) -> None:
    boxes = np.array([[5, 5, 5.001, 30], [7.126, 8, 9, 10]], np.float32)
    detections = Detections(boxes, np.array([0.5, 0.25], np.float32), [1, 1])
    write_geojson(tmp_path / "a.geojson", [detections], threshold=0.5)
    first, second = read_objects(tmp_path / "a.geojson")
    assert (first.geometry, first.points) == ("Point", [(5, 17.5)])
    assert (second.geometry, second.points[0]) == ("Polygon", (7.13, 8))


def test_nothing_is_an_empty_collection(tmp_path: Path) -> None:
    other = Detections(squares_around([(9, 9)]), np.array([0.9], np.float32), [2])
    for number, parts in enumerate(([], [NOTHING], [other])):
        write_geojson(tmp_path / f"{number}.geojson", parts, threshold=0.5)
        tree = json.loads((tmp_path / f"{number}.geojson").read_text())
        assert tree == {"type": "FeatureCollection", "features": []}


def test_parts_and_compression_change_no_byte(tmp_path: Path) -> None:
    halves = [SOME.select(np.arange(2)), NOTHING, SOME.select(np.arange(2, 4))]
    write_geojson(tmp_path / "a.geojson", [SOME], threshold=0.5)
    write_geojson(tmp_path / "b.geojson", halves, threshold=0.5)
    write_geojson(tmp_path / "c.geojson.gz", [SOME], threshold=0.5)
    write_geojson(tmp_path / "d.GEOJSON.GZ", [SOME], threshold=0.5)
    a, b, c, d = (path.read_bytes() for path in sorted(tmp_path.iterdir(), key=lambda p: p.name[0]))
    assert a == b == gzip.decompress(c)
    assert c == d, "neither name nor time is in it"


def _many(count: int) -> Detections:
    points = np.arange(2 * count, dtype=np.float32).reshape(-1, 2)
    return Detections(squares_around(points), np.full(count, 0.5, np.float32), np.ones(count))


def test_memory_does_not_grow_with_the_number_of_detections(tmp_path: Path) -> None:
    part = _many(10_000)

    def parts(count: int) -> Iterator[Detections]:
        yield from (part for _ in range(count))

    peaks = []
    for count in (1, 6):
        tracemalloc.start()
        write_geojson(tmp_path / "a.geojson", parts(count), threshold=0.5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert len(json.loads((tmp_path / "a.geojson").read_text())["features"]) == 60_000


def test_a_file_that_cannot_be_written_is_an_error_and_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "001.geojson"
    path.write_text("old")

    def full() -> Iterator[Detections]:
        yield SOME
        raise OSError(28, "No space left on device")

    with pytest.raises(DetectionsError, match=r"001\.geojson cannot be written: the disk is full"):
        write_geojson(path, full(), threshold=0.5)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["001.geojson"]


def test_kinds_of_figures_are_classes_that_are_read_back_as_figures(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", [SOME], threshold=0.7, atypical=TOLD)
    objects = read_objects(tmp_path / "a.geojson")
    names = [one.class_name for one in objects]
    assert names == ["non-mitotic figure", "normal mitotic figure", "atypical mitotic figure"]
    assert [label_of(name) for name in names] == [IMPOSTER, MITOTIC_FIGURE, MITOTIC_FIGURE]
    assert len({one.class_color for one in objects}) == 3
    assert [one.measurements for one in objects] == [
        {"probability": 0.3},
        {"probability": 0.9, "atypical_probability": 0.25},
        {"probability": 0.7, "atypical_probability": 0.75},
    ]


def test_kinds_stay_with_their_figures_in_any_number_of_parts(tmp_path: Path) -> None:
    count = 9000
    points = np.stack([np.arange(count), np.arange(count)], 1)
    labels = np.where(np.arange(count) % 3 == 0, 2, 1)
    probabilities = np.where(labels == 1, np.arange(count) / count, np.nan).astype(np.float32)
    whole = Detections(squares_around(points), np.full(count, 0.9), labels)
    parts = [whole.select(np.arange(*ends)) for ends in ((0, 10), (10, 5000), (5000, count))]
    told = AtypicalScores(probabilities, 0.5)
    for name, own in (("a.geojson", [whole]), ("b.geojson", parts)):
        write_geojson(tmp_path / name, own, threshold=0.5, atypical=told)
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()
    features = json.loads((tmp_path / "b.geojson").read_text())["features"]
    written = [one["properties"]["measurements"]["atypical_probability"] for one in features]
    assert np.float32(written).tolist() == probabilities[labels == 1].tolist()
