"""A map against truth: which px count, and the rates of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from midog.heatmap.against_truth import RATE_COLOURS, MapTruth, rate_picture, write_triptych
from midog.heatmap.heat_map import HeatMap
from midog.images.image import as_image
from midog.metrics.pixel_counts import PixelCounts
from midog.mpp import Mpp
from midog.tissue.qupath_areas import Area
from midog.tumour.read import truth_of_areas

WIDTH, HEIGHT, STEP = 400, 300, 20


def truth(x1=100, y1=100, x2=200, y2=200):
    ring = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], float)
    return truth_of_areas([Area((ring,), False)], (WIDTH, HEIGHT), "drawn")


def heat_map(step: float = STEP) -> HeatMap:
    """0.9 from x = 140 on, 0.1 before; not looked at from y = 160 on."""
    width, height = round(WIDTH / step), round(HEIGHT / step)
    values = np.full((height, width), 0.1, np.float32)
    values[:, round(140 / step) :] = 0.9
    values[round(160 / step) :] = np.nan
    return HeatMap(
        values, (1 / step, 1 / step), (WIDTH, HEIGHT), Mpp.of(0.5), "tumour", 0.5, "given"
    )


def test_tumour_that_was_not_looked_at_is_missed_and_other_glass_does_not_count():
    own = heat_map()
    of_map = MapTruth.of(own, truth())
    assert of_map.positive.sum() == 25
    assert of_map.counted.sum() == 8 * 20 + 2 * 5
    assert of_map.counts(own) == PixelCounts(tp=9, fp=8 * 13 - 9, fn=6 + 10, tn=8 * 7 - 6)
    scores, positive = of_map.scored(own)
    assert sorted(set(scores.tolist())) == [0, pytest.approx(0.1), pytest.approx(0.9)]
    assert (scores == 0).sum() == 10
    assert positive[scores == 0].all()
    assert of_map.counts(own, 0.05).tp == 15


@pytest.mark.parametrize("step", [20, 12.5, 7.3, 1.0, 0.5, 400 / 33])
def test_the_share_of_px_that_are_tumour_is_that_of_the_area(step):
    own = heat_map(step)
    positive = MapTruth.of(own, truth(60, 100, 260, 220)).positive
    area = own.area_mm2(positive) / own.area_mm2(np.ones_like(positive))
    assert area == pytest.approx(200 * 120 / (WIDTH * HEIGHT), abs=step / 200 + 0.01)
    rows, columns = np.nonzero(positive)
    assert columns.min() * step == pytest.approx(60, abs=step)
    assert (rows.max() + 1) * step == pytest.approx(220, abs=step)


def test_a_px_of_which_less_than_half_is_tumour_is_none():
    assert MapTruth.of(heat_map(), truth(100, 100, 107, 120)).positive.sum() == 0
    assert MapTruth.of(heat_map(), truth(100, 100, 113, 120)).positive.sum() == 1


def test_the_triptych_shows_each_kind_of_px(tmp_path):
    own, ground = heat_map(), np.full((HEIGHT, WIDTH, 3), 230, np.uint8)
    of_map = MapTruth.of(own, truth())
    picture = rate_picture(ground, own, of_map, 0.5)
    for (x, y), kind in {
        (150, 150): "TP",
        (300, 50): "FP",
        (110, 150): "FN",
        (150, 190): "FN",
        (50, 50): "TN",
    }.items():
        expected = 0.35 * 230 + 0.65 * np.array(RATE_COLOURS[kind])
        assert picture[y, x] == pytest.approx(expected, abs=1), kind
    assert picture[290, 10].tolist() == [230] * 3, "glass that is no tumour stays"
    path = tmp_path / "a.png"
    write_triptych(path, own, as_image(ground, 0.5), of_map)
    with Image.open(path) as shown:
        assert shown.width > 4 * WIDTH
