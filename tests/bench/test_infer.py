"""The benchmark of a whole ROI from file to JSON."""

from __future__ import annotations

import pytest

from midog.bench.infer import agreement, infer_stage
from midog.boxes import Detections, squares_around
from midog.formats.challenge import read_challenge


def test_a_roi_from_file_to_json_both_ways(plan):
    found = infer_stage(plan)
    assert found.unit == "Mpx/s"
    assert found.ours == pytest.approx(0.42 / found.detail["ours_s"])
    assert found.plain == pytest.approx(0.42 / found.detail["plain_s"])
    assert 0 <= found.detail["agreement"] <= 1
    assert len(read_challenge(plan.folder / "found.json").scores) >= found.detail["figures_plain"]


def found_at(*points: tuple[float, float], score: float = 0.9) -> Detections:
    return Detections(squares_around(points), [score] * len(points), [1] * len(points))


def test_agreement_is_the_share_of_figures_that_both_ways_found():
    ours, plain = found_at((100, 100), (300, 300), (500, 500)), found_at((110, 100), (300, 320))
    assert agreement(ours, plain, 0.25) == {"figures": 3, "figures_plain": 2, "agreement": 0.8}
    assert agreement(ours, found_at(), 0.25)["agreement"] == 0
    assert agreement(found_at(), found_at(), 0.25)["agreement"] == 1


def test_what_is_below_the_threshold_is_no_figure():
    assert agreement(found_at((9, 9), score=0.4), found_at(), 0.25)["figures"] == 0
