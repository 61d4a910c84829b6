"""A slide of MIRAX, whose px begin somewhere on the glass: detected in, to QuPath, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import centers_of
from midog.data.annotations.read import read_annotations
from midog.images.image import open_image
from tests.images import mirax
from tests.planted import GREEN, GROUND, PLACES, PURPLE, save_detector

BOUNDS = (400, 260, 512, 384)
GLASS = (1200, 900)


@pytest.fixture
def slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Spots at PLACES within the bounds, and some outside, which no slide shows."""
    glass = np.zeros((GLASS[1], GLASS[0], 3), np.uint8) + np.array(GROUND, np.uint8)
    ys, xs = np.mgrid[: GLASS[1], : GLASS[0]]
    for number, (x, y) in enumerate(PLACES):
        for left, top in ((BOUNDS[0], BOUNDS[1]), (0, 0)):
            spot = (xs + 0.5 - x - left) ** 2 + (ys + 0.5 - y - top) ** 2 <= 10**2
            glass[spot] = GREEN if number % 2 else PURPLE
    mirax.register(monkeypatch, glass, BOUNDS)
    path = tmp_path / "data" / "images" / "a.mrxs"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a stand-in, whose px are in memory")
    return path


def are_at(points: np.ndarray, expected: np.ndarray) -> bool:
    """Whether there is one point for each place, within 3 px."""
    apart = np.hypot(*(points[:, None] - expected).transpose(2, 0, 1))
    return sorted(apart.argmin(axis=1)) == list(range(len(expected))) and apart.min(1).max() < 3


def test_level_0_is_the_glass_and_the_origin_is_that_of_the_bounds(slide: Path) -> None:
    with open_image(slide) as image:
        assert (image.width, image.height, image.origin) == (*GLASS, BOUNDS[:2])
        outside, inside = image.read(30, 50, 20, 20), image.read(430, 310, 20, 20)
        assert (outside == 255).all(), "no spot is seen outside"
        assert (inside < 255).any()
        assert [level.size for level in image.levels] == [(1200, 900), (600, 450), (300, 225)]


def test_detections_are_on_the_glass_and_qupaths_from_the_bounds_both_ways(
    midog, dark_spots, slide: Path, tmp_path: Path
) -> None:
    model, out = save_detector(tmp_path / "model", None), tmp_path / "out"
    words = ("--model", model, "--device", "cpu", "--out", out, "--format", "challenge,geojson")
    ran = midog("infer", slide, *words, "--workers", 0)
    assert ran.code == 0, ran.err
    assert ran.out == "a.mrxs\t6 mitotic figures\n"
    points = json.loads((out / "a.json").read_text())["points"]
    on_glass = np.array([point["point"][:2] for point in points]) * 1000 / 0.25
    assert are_at(on_glass, np.array(PLACES) + BOUNDS[:2])
    features = json.loads((out / "a.geojson").read_text())["features"]
    rings = np.array([one["geometry"]["coordinates"][0][:4] for one in features])
    assert are_at(rings.mean(axis=1), np.array(PLACES))
    # back: as annotations, and as detections that are scored against them
    (slide.parents[1] / "a.geojson").write_bytes((out / "a.geojson").read_bytes())
    (roi,) = read_annotations(slide.parents[1] / "a.geojson", images=slide.parent).rois
    assert are_at(centers_of(roi.boxes.xyxy), on_glass)
    (out / "a.json").unlink()
    ran = midog("evaluate", out, "--data", slide.parents[1], "--subset", "all", "--json")
    assert ran.code == 0, ran.err
    group = json.loads(ran.out)["groups"]["all"]
    assert (group["tp"], group["fp"], group["fn"]) == (6, 0, 0)
