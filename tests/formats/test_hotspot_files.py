"""The hotspot's JSON and CSV hold what `hotspot` counts, of figures over the threshold alone."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Detections
from midog.errors import DetectionsError
from midog.formats.atypical import AtypicalScores
from midog.formats.hotspot_files import hotspot_of, write_hotspot_csv, write_hotspot_json
from midog.formats.registry import DetectedImage
from midog.metrics.hotspot import HotspotSettings
from tests.tissue.test_window_share import left_half


def detected(
    points: list[tuple[float, float]], scores: list[float] | None = None, **changes: object
) -> DetectedImage:
    """Figures at points, px, in an image of 6000 x 4000 px of 1 um."""
    centres = np.array(points, np.float32).reshape(-1, 2)
    detections = Detections(
        np.hstack([centres - 10, centres + 10]),
        np.array(scores or [0.9] * len(points), np.float32),
        np.full(len(points), MITOTIC_FIGURE, np.int64),
    )
    image = DetectedImage("=a.tiff", 6000, 4000, 1.0, 0.5, detections, None, lambda scale: iter(()))
    return replace(image, **changes)


CLUSTER = [(1000, 1000), (1200, 1100), (1100, 1300)]
OTHERS = [(5000, 3000), (5100, 3100), (3300, 200)]


def test_the_json_says_place_count_and_density(tmp_path: Path) -> None:
    write_hotspot_json(tmp_path / "new" / "a.hotspot.json", detected([*CLUSTER, *OTHERS]))
    found = json.loads((tmp_path / "new" / "a.hotspot.json").read_text())
    assert found["figures"] == 6
    assert found["count"] == 3
    assert found["per_mm2"] == pytest.approx(1.5)
    assert (found["x_px"], found["y_px"]) == (pytest.approx(1100), pytest.approx(1150))
    x1, y1, x2, y2 = found["box_px"]
    assert (x2 - x1) * (y2 - y1) == pytest.approx(2e6)
    assert (x2 - x1) / (y2 - y1) == pytest.approx(4 / 3)
    assert (found["area_mm2"], found["shape"], found["tissue_share"]) == (2, "4:3", None)


def test_the_csv_is_one_line_with_the_same_numbers_and_no_formula(tmp_path: Path) -> None:
    image = detected([*CLUSTER, *OTHERS])
    write_hotspot_json(tmp_path / "a.json", image)
    write_hotspot_csv(tmp_path / "a.csv", image)
    tree = json.loads((tmp_path / "a.json").read_text())
    (row,) = csv.DictReader((tmp_path / "a.csv").open())
    assert row["file_name"] == "'=a.tiff"
    assert [float(row[f"{name}_px"]) for name in ("x1", "y1", "x2", "y2")] == tree["box_px"]
    assert {name: float(row[name]) for name in ("count", "per_mm2", "x_px")} == {
        name: tree[name] for name in ("count", "per_mm2", "x_px")
    }
    assert row["tissue_share"] == ""


def test_detections_under_the_threshold_and_of_class_2_do_not_count() -> None:
    image = detected([*CLUSTER, *OTHERS], [0.9, 0.4, 0.1, 0.9, 0.9, 0.9])
    assert (hotspot_of(image)[0].count, hotspot_of(image)[1]) == (2, 4)
    of_class_2 = Detections(
        image.detections.boxes, image.detections.scores, np.full(6, IMPOSTER, np.int64)
    )
    assert hotspot_of(replace(image, detections=of_class_2))[1] == 0


def test_no_figure_has_count_zero_and_no_place(tmp_path: Path) -> None:
    write_hotspot_json(tmp_path / "a.json", detected([]))
    write_hotspot_csv(tmp_path / "a.csv", detected([]))
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["count"], found["per_mm2"], found["x_px"]) == (0, 0, None)
    assert found["box_px"] == [None] * 4
    (row,) = csv.DictReader((tmp_path / "a.csv").open())
    assert (row["count"], row["x_px"], row["x1_px"]) == ("0", "", "")


def test_area_and_shape_are_the_users() -> None:
    wanted = HotspotSettings(0.01, "circle")
    densest, _ = hotspot_of(detected([(500, 500), (560, 500), (700, 500)], hotspot=wanted))
    assert densest.count == 2
    assert densest.window.is_circle
    assert wanted.settings() == {"hotspot": "0.01 mm2, circle"}
    assert HotspotSettings().settings() == {}


def test_in_tissue_on_request() -> None:
    points = [(1000, 2000), (1100, 2000), (4000, 2000), (4100, 2000), (4200, 2000)]
    image = detected(points, tissue=left_half())
    assert hotspot_of(image)[0].count == 3
    inside = replace(image, hotspot=HotspotSettings(0.5, "4:3", 0.95))
    densest, _ = hotspot_of(inside)
    assert densest.count == 2
    assert densest.box_mm[2] <= 3.1


def test_tissue_that_is_not_known_or_not_there_is_an_error() -> None:
    wanted = HotspotSettings(2.0, "4:3", 0.5)
    with pytest.raises(DetectionsError, match="tissue=auto, so that tissue is told"):
        hotspot_of(detected(CLUSTER, hotspot=wanted))
    mask = left_half()
    none = replace(mask, kinds=np.zeros_like(mask.kinds))
    with pytest.raises(DetectionsError, match="no hotspot of 2 mm2, 4:3, at least 50% of it"):
        hotspot_of(detected(CLUSTER, hotspot=wanted, tissue=none))


@pytest.mark.parametrize("wanted", [(0, "4:3", 0), (2, "oval", 0), (2, "4:3", 1.5)])
def test_what_is_none_is_refused_at_once(wanted: tuple[float, str, float]) -> None:
    with pytest.raises(DetectionsError):
        HotspotSettings(*wanted)


def test_atypical_figures_are_counted_in_all_and_in_the_hotspot(tmp_path: Path) -> None:
    told = AtypicalScores(np.array([0.9, 0.1, 0.9, np.nan, 0.9, 0.1], np.float32), 0.5)
    scores = [0.9, 0.9, 0.9, 0.4, 0.9, 0.9]
    image = detected([*CLUSTER, *OTHERS], scores, atypical=told)
    write_hotspot_json(tmp_path / "a.json", image)
    tree = json.loads((tmp_path / "a.json").read_text())
    assert (tree["figures"], tree["count"]) == (5, 3)
    assert (tree["atypical"], tree["atypical_count"]) == (3, 2)
    nothing = detected([], atypical=AtypicalScores(np.zeros(0, np.float32), 0.5))
    write_hotspot_json(tmp_path / "b.json", nothing)
    tree = json.loads((tmp_path / "b.json").read_text())
    assert (tree["atypical"], tree["atypical_count"]) == (0, 0)
    write_hotspot_json(tmp_path / "c.json", detected(CLUSTER))
    assert "atypical" not in json.loads((tmp_path / "c.json").read_text())
