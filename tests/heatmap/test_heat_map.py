"""HeatMap: areas, scores and masks of its px."""

from __future__ import annotations

import numpy as np
import pytest

from midog.heatmap.heat_map import HeatMap
from midog.mpp import Mpp

VALUES = np.array([[0.5, np.nan, 0.9], [0.2, 0.49999, 0.9]], np.float32)


def heat_map(**values) -> HeatMap:
    """3 x 2 px of 10 x 10 level-0 px each; the slide ends within those at its edges."""
    own = {
        "values": VALUES,
        "scale": (0.1, 0.1),
        "size": (25, 18),
        "mpp": Mpp(2.0, 2.0),
        "name": "tumour",
        "threshold": 0.5,
        "threshold_from": "given",
    }
    return HeatMap(**own | values)


def test_areas_end_with_the_slide():
    own = heat_map()
    assert own.area_mm2(np.ones((2, 3), bool)) == pytest.approx(25 * 18 * 4 / 1e6)
    assert own.area_mm2(own.looked_at) == pytest.approx((25 * 18 - 100) * 4 / 1e6)
    assert own.area_mm2(own.over()) == pytest.approx((100 + 5 * 18) * 4 / 1e6)
    assert own.map_mpp == (20, 20)


def test_the_slide_score_is_the_highest_value_and_its_first_place():
    own = heat_map()
    assert own.slide_score == pytest.approx(0.9)
    assert own.highest == pytest.approx((25, 5))
    assert np.isnan(heat_map(values=np.full((2, 3), np.nan, np.float32)).slide_score)


def test_px_of_at_least_the_threshold_are_of_the_class():
    assert heat_map().over().tolist() == [[True, False, True], [False, False, True]]
    assert heat_map(threshold=0.0).over().sum() == 5, "what was not looked at is none"
    assert heat_map().over(0.2).sum() == 5


def test_a_mask_answers_in_px_of_level_0():
    mask = heat_map().as_mask("map")
    boxes = np.array([[0, 0, 10, 10], [0, 0, 20, 10], [20, 0, 25, 18]])
    assert mask.share_in(boxes).tolist() == [1, 0.5, 1]
    points = np.array([[5, 5], [5, 12], [24, 17], [30, 5]])
    assert mask.contains(points).tolist() == [True, False, True, False]
