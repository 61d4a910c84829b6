"""Objects of QuPath as annotations: each key that it writes, odd and broken files, the way back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midog.boxes import Detections, squares_around
from midog.data.annotations import geojson
from midog.data.annotations.read import read_annotations, scan_annotations
from midog.data.folder import read_rois
from midog.errors import DataError
from midog.formats.geojson import write_geojson
from tests.formats.qupath import read_objects
from tests.planted import PLACES, draw_planted, save_detector
from tests.spoiled import TINY, settings

FIGURE = "mitosis"


def feature(
    x: float = 100, y: float = 50, name: Any = FIGURE, geometry: Any = None, **properties: Any
) -> dict[str, Any]:
    """A point of a class as QuPath writes it."""
    classification = {"name": name, "color": [1, 2, 3]} if isinstance(name, str) else name
    return {
        "type": "Feature",
        "id": "5a1f40c6-1f5e-4a8b-a8f5-6f34f3a0b0c1",
        "geometry": geometry or {"type": "Point", "coordinates": [x, y]},
        "properties": {"objectType": "annotation", "classification": classification, **properties},
    }


def write_features(path: Path, *features: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def centres(path: Path, classes: str = "") -> list[tuple[float, ...]]:
    """x, y and label of every figure of a file."""
    (roi,) = read_annotations(path, classes=classes).rois
    middle = (roi.boxes.xyxy[:, :2] + roi.boxes.xyxy[:, 2:]) / 2
    return [(*xy, label) for xy, label in zip(middle.tolist(), roi.boxes.labels, strict=True)]


SQUARE = [[10, 20], [30, 20], [30, 60], [10, 60], [10, 20]]
FAR = [[110, 20], [130, 20], [130, 60], [110, 60], [110, 20]]


@pytest.mark.parametrize(
    ("geometry", "expected"),
    [
        ({"type": "Point", "coordinates": [7.5, 8]}, [(7.5, 8)]),
        ({"type": "Point", "coordinates": [7, 8, 0]}, [(7, 8)]),
        ({"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}, [(1, 2), (3, 4)]),
        ({"type": "Polygon", "coordinates": [SQUARE]}, [(20, 40)]),
        ({"type": "Polygon", "coordinates": [SQUARE], "isEllipse": True}, [(20, 40)]),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [FAR]]}, [(70, 40)]),
    ],
)
def test_points_and_polygons_are_figures(tmp_path: Path, geometry: Any, expected: Any) -> None:
    path = write_features(tmp_path / "a.geojson", feature(geometry=geometry))
    assert [row[:2] for row in centres(path)] == expected
    bare = tmp_path / "b.geojson"
    bare.write_text(json.dumps(geometry))
    read = centres(bare, classes="unclassified=mitotic figure")
    assert [row[:2] for row in read] == expected


@pytest.mark.parametrize(
    ("classification", "label"),
    [
        ({"name": "Mitotic figure", "color": [0, 1, 2]}, 1),
        ({"name": "mitosis", "colorRGB": -65536}, 1),
        ({"names": ["non", "mitosis"], "color": [1, 2, 3]}, 2),
        ("imposter", 2),
    ],
)
def test_classes_in_every_form_that_qupath_wrote(
    tmp_path: Path, classification: Any, label: int
) -> None:
    path = write_features(tmp_path / "a.geojson", feature(name=classification))
    assert centres(path) == [(100, 50, label)]


@pytest.mark.parametrize("classification", [None, {}, ""])
def test_an_object_without_a_class_needs_a_word(tmp_path: Path, classification: Any) -> None:
    path = write_features(tmp_path / "a.geojson", feature(name=classification), feature())
    with pytest.raises(DataError, match=r"object 1: unknown class 'Unclassified'.*data.classes"):
        read_annotations(path)
    assert centres(path, classes="Unclassified=skip") == [(100, 50, 1)]


@pytest.mark.parametrize(
    "wrap", [lambda f: f, lambda f: [f], lambda f: {"type": "FeatureCollection", "features": [f]}]
)
def test_all_containers_that_qupath_reads(tmp_path: Path, wrap: Any) -> None:
    for name in ("a.geojson", "a.json"):
        (tmp_path / name).write_text(json.dumps(wrap(feature())))
        assert centres(tmp_path / name) == [(100, 50, 1)]
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress((tmp_path / "a.json").read_bytes()))
    assert centres(tmp_path / "a.geojson.gz") == [(100, 50, 1)]


def test_objects_in_objects_are_read_and_cores_are_no_figures(tmp_path: Path) -> None:
    inner = feature(1, 2, childObjects=[feature(3, 4)])
    core = feature(9, 9, None, objectType="tmaCore", isMissing=False, children=[inner])
    path = write_features(tmp_path / "a.geojson", core, feature(5, 6))
    assert sorted(row[:2] for row in centres(path)) == [(1, 2), (3, 4), (5, 6)]


def test_what_qupath_writes_twice_is_read(tmp_path: Path) -> None:
    """From 0.5 on it writes the metadata of an object twice, with one value."""
    text = json.dumps(feature()).replace('"objectType"', '"metadata": {"a": "1"}, "objectType"')
    text = text.replace('"classification"', '"metadata": {"a": "1"}, "classification"')
    (tmp_path / "a.geojson").write_text(text)
    assert len(centres(tmp_path / "a.geojson")) == 1
    (tmp_path / "a.geojson").write_text(text.replace('{"a": "1"}, "class', '{"a": "2"}, "class'))
    with pytest.raises(DataError, match="'metadata' is named twice"):
        read_annotations(tmp_path / "a.geojson")


def test_what_it_does_not_use_changes_nothing(tmp_path: Path) -> None:
    further = {
        "color": [1, 2, 3],
        "isLocked": True,
        "measurements": {"probability": "NaN"},
        "metadata": {"by": "me"},
    }
    one = feature(**further)
    one["properties"]["name"] = "one"
    assert centres(write_features(tmp_path / "a.geojson", one)) == [(100, 50, 1)]


def test_other_planes_are_noted(tmp_path: Path) -> None:
    plane = {"type": "Point", "coordinates": [1, 2], "plane": {"c": -1, "z": 3, "t": 0}}
    path = write_features(tmp_path / "a.geojson", feature(geometry=plane), feature())
    assert "1 objects are in other planes" in "".join(read_annotations(path).notes)


BROKEN = [
    ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "is a LineString; give points"),
    ({"type": "GeometryCollection", "geometries": []}, "is a GeometryCollection; give points"),
    ({"type": ["Point"]}, "is without a geometry"),
    ([1], "is without a geometry"),
    ({"type": "Point"}, "its coordinates are no Point's"),
    ({"type": "Point", "coordinates": [1]}, "its coordinates are no Point's"),
    ({"type": "Point", "coordinates": ["1", "2"]}, "its coordinates are no Point's"),
    ({"type": "Point", "coordinates": [True, 2]}, "its coordinates are no Point's"),
    ({"type": "Point", "coordinates": [float("nan"), 2]}, "its coordinates are no Point's"),
    ({"type": "Point", "coordinates": [1e300, 2]}, "its coordinates are no Point's"),
    ({"type": "MultiPoint", "coordinates": []}, "its coordinates are no MultiPoint's"),
    ({"type": "Polygon", "coordinates": [1, 2]}, "its coordinates are no Polygon's"),
    ({"type": "Polygon", "coordinates": [[[1, 2], [3]]]}, "its coordinates are no Polygon's"),
    ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "its coordinates are no MultiPolygon's"),
]


@pytest.mark.parametrize(("geometry", "said"), BROKEN)
def test_a_broken_object_is_named_and_the_others_are_read(
    tmp_path: Path, geometry: Any, said: str
) -> None:
    path = write_features(tmp_path / "a.geojson", feature(), feature(geometry=geometry), feature())
    read, problems = scan_annotations(path)
    assert len(read.rois[0].boxes) == 2
    assert [str(p).startswith(f"{path}: object 2") and said in str(p) for p in problems] == [True]


@pytest.mark.parametrize(
    "tree", [{"type": "Feature"}, {"type": "Topology"}, 3, [[3]], {"type": "FeatureCollection"}]
)
def test_what_is_no_feature_is_one_problem(tmp_path: Path, tree: Any) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(tree))
    _, problems = scan_annotations(path)
    assert len(problems) == 1
    assert "\n" not in str(problems[0])


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"text", gzip.compress(b"{}", mtime=0)[:-3]])
def test_a_broken_archive_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.geojson.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"a.geojson.gz is (not JSON|cut short)"):
        read_annotations(tmp_path / "a.geojson.gz")


def test_an_archive_that_unpacks_to_too_much_is_one_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("midog.data.text_file._MOST_BYTES", 1000)
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(b" " * 1001))
    with pytest.raises(DataError, match="unpacks to over"):
        read_annotations(tmp_path / "a.geojson.gz")


def test_out_edit_and_in(tmp_path: Path) -> None:
    """Detections come back as imposters and figures, as they were classified in between."""
    detections = Detections(
        squares_around([(100, 50), (20.25, 200), (300, 300)]),
        np.array([0.3, 0.9, 0.7], np.float32),
        [1, 1, 1],
    )
    path = tmp_path / "a.geojson"
    write_geojson(path, [detections], threshold=0.5)
    assert centres(path) == [(100, 50, 2), (20.25, 200, 1), (300, 300, 1)]
    tree = json.loads(path.read_text())
    tree["features"][0]["properties"]["classification"] = {"name": "Mitosis", "color": [1, 2, 3]}
    del tree["features"][2]
    tree["features"].append(feature(7, 8))
    path.write_text(json.dumps(tree))
    assert len(read_objects(path)) == 3
    assert centres(path) == [(100, 50, 1), (20.25, 200, 1), (7, 8, 1)]


def test_the_corner_of_a_slides_bounds_is_added(shared: Path, tmp_path: Path, monkeypatch) -> None:
    name = "CMU-1-Small-Region.svs"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / name).symlink_to(shared / "data" / "slides" / name)
    path = write_features(tmp_path / "annotations" / "CMU-1-Small-Region.geojson", feature(7, 8))
    real = geojson.open_image

    def with_bounds(path: Path) -> Any:
        image = real(path)
        image.origin = (1000, 20)
        return image

    monkeypatch.setattr(geojson, "open_image", with_bounds)
    read = read_annotations(path.parent)
    assert read.rois[0].file_name == name
    assert read.rois[0].boxes.xyxy[0].tolist() == [982, 3, 1032, 53]
    assert read.notes == (
        "CMU-1-Small-Region.geojson: moved by 1000, 20 px, the corner of the slide's bounds, from"
        " which QuPath counts",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("dark_spots")
def test_by_the_commands_detections_are_corrected_and_trained_on(midog, tmp_path: Path) -> None:
    data, out = draw_planted(tmp_path / "data"), tmp_path / "detections"
    detector = save_detector(tmp_path / "detector", None)
    ran = midog(
        *("infer", data / "images", "--model", detector, "--out", out, "--device", "cpu"),
        *("--format", "geojson,geojson.gz"),
    )
    assert ran.code == 0, ran.err
    files = sorted(out.glob("*.geojson"))
    assert len(files) == len(list(out.glob("*.geojson.gz"))) == 8
    assert all(read_objects(file) == read_objects(Path(f"{file}.gz")) for file in files)
    (data / "annotations.csv").unlink()
    (data / "annotations").mkdir()
    for file in files:
        tree = json.loads(file.read_text())
        assert len(tree["features"]) == len(PLACES)
        for one in tree["features"]:  # what the detector took for figures is corrected
            (x1, y1), _, (x2, y2), *_ = one["geometry"]["coordinates"][0]
            nearest = min(
                PLACES, key=lambda p: abs(p[0] - (x1 + x2) / 2) + abs(p[1] - (y1 + y2) / 2)
            )
            if PLACES.index(nearest) % 2:
                one["properties"]["classification"] = {"name": "Look-alike", "color": [9, 9, 9]}
        (data / "annotations" / file.name).write_text(json.dumps(tree))
    ran = midog("data", "check", data)
    assert ran.code == 0, ran.err
    (roi, *_) = rois = read_rois(data)
    assert [sum(len(r.boxes.of_class(label)) for r in rois) for label in (1, 2)] == [24, 24]
    middle = np.sort((roi.boxes.of_class(1)[:, :2] + 25.0)[:, 0])
    assert np.abs(middle - sorted(x for x, _ in PLACES[::2])).max() < 2, "in its place"
    own = [word for word in TINY if not word.startswith("train.epochs")]
    ran = midog(
        *("train", "--data", data, *settings(own), "--epochs", 1, "--name", "a"),
        *("--runs", tmp_path / "runs"),
    )
    assert ran.code == 0, ran.err
    assert "annotations: QuPath GeoJSON, points as squares" in ran.err


# --- areas


def polygon(x1: float, y1: float, x2: float, y2: float) -> dict[str, Any]:
    ring = [[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_rectangles_of_a_stated_class_are_areas_and_no_figures(tmp_path: Path) -> None:
    path = write_features(
        tmp_path / "a.geojson",
        feature(geometry=polygon(10, 20, 5010, 4020), name="ROI"),
        feature(geometry=polygon(6000, 0, 7000.5, 900), name="ROI"),
        feature(100, 50),
        feature(6500, 100, name="imposter"),
    )
    annotations = read_annotations(path, classes="ROI=area")
    (roi,) = annotations.rois
    assert roi.areas.tolist() == [[10, 20, 5010, 4020], [6000, 0, 7000.5, 900]]
    assert roi.boxes.labels.tolist() == [1, 2]
    assert any("2 of 'ROI' are areas" in note for note in annotations.notes)
    with pytest.raises(DataError, match=r"unknown class 'ROI' \(2 figures\)"):
        read_annotations(path)


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [3, 4]},
        {"type": "Polygon", "coordinates": [[[0, 0], [9, 1], [10, 11], [1, 10], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]},
        {"type": "MultiPolygon", "coordinates": [polygon(0, 0, 9, 9)["coordinates"]]},
        {"type": "Polygon", "coordinates": [SQUARE, SQUARE]},
    ],
)
def test_an_area_that_is_no_upright_rectangle_is_refused(tmp_path: Path, geometry: Any) -> None:
    path = write_features(tmp_path / "a.geojson", feature(geometry=geometry, name="ROI"))
    with pytest.raises(DataError, match="object 1 is an area and no upright rectangle"):
        read_annotations(path, classes="ROI=area")


def test_figures_as_large_as_areas_are_named(tmp_path: Path) -> None:
    path = write_features(
        tmp_path / "a.geojson",
        feature(geometry=polygon(0, 0, 401, 30)),
        feature(geometry=polygon(0, 0, 30, 5000)),
        feature(geometry=polygon(0, 0, 400, 400)),
        feature(geometry=polygon(0, 0, 9000, 9000), name="Tumor"),
    )
    notes = read_annotations(path, classes="Tumor=skip").notes
    (doubt,) = [note for note in notes if "400 px" in note]
    assert doubt.startswith("a.geojson: 2 objects of class 'mitosis' are over 400 px")
    assert '"mitosis=area"' in doubt


def test_areas_drawn_in_qupath_are_cut_out_as_rois(tmp_path: Path, midog) -> None:
    from tifffile import imwrite

    pixels = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    (tmp_path / "d" / "images").mkdir(parents=True)
    how = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
    imwrite(tmp_path / "d" / "images" / "a.tiff", pixels, photometric="rgb", **how)
    write_features(
        tmp_path / "d" / "a.geojson",
        feature(geometry=polygon(100, 50, 300, 250), name="ROI"),
        feature(150, 70),
        feature(20, 20),
    )
    words = ("--data", tmp_path / "d", "--classes", "ROI=area", "--out", tmp_path / "rois")
    ran = midog("data", "cut", *words)
    assert ran.code == 0, ran.err
    assert "1 figures lie in no area" in ran.err
    (roi,) = read_rois([tmp_path / "rois"])
    assert (roi.boxes.xyxy[:, :2] + 25).tolist() == [[50, 20]]
    from midog.images.image import open_image

    with open_image(tmp_path / "rois" / "images" / "a_1.tiff") as image:
        np.testing.assert_array_equal(image.read(0, 0, 200, 200), pixels[50:250, 100:300])
