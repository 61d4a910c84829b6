"""Dense points are matched as others are, in memory that does not grow with their pairs."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.metrics import near_pairs, pooled_matches
from midog.metrics.dense_points import dense_by_overlap, dense_by_radius
from midog.metrics.matching import RADIUS_MM, match_points
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import (
    HALF_SIDE_MM,
    PooledMatches,
    matched_by_overlap,
    matched_by_radius,
)
from midog.metrics.pooled_points import PooledPoints

UM = 1e-3


def crowd(seed: int, figures: int, points: int, spread_um: float, grid_um: float = 0) -> RoiPoints:
    """Points on one place; on a grid many distances and overlaps are equal."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, spread_um, (figures + points, 2))
    if grid_um:
        places = np.round(places / grid_um) * grid_um
    scores = np.round(rng.uniform(0, 1, points), 1)
    return RoiPoints(places[:figures] * UM, places[figures:] * UM, scores)


@given(
    st.integers(0, 10**6),
    st.integers(0, 12),
    st.integers(0, 40),
    st.sampled_from([3.0, 12.0, 60.0]),
    st.sampled_from([0.0, 1.5]),
    st.integers(1, 30),
)
def test_blocks_give_what_all_pairs_at_once_give(seed, figures, points, spread, grid, most) -> None:
    rois = [crowd(seed + number, figures, points, spread, grid) for number in range(2)]
    together = PooledPoints.of(rois)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_pairs.blocks_of, "__defaults__", (most,))
        radius = dense_by_radius(together, RADIUS_MM)
        overlap = dense_by_overlap(together, HALF_SIDE_MM, 0.5)
        matches = match_points(rois[0].truth_mm, rois[0].detected_mm).truth_to_detection
    assert np.array_equal(radius, matched_by_radius(rois))
    assert np.array_equal(overlap, matched_by_overlap(rois, HALF_SIDE_MM, 0.5))
    expected = match_points(rois[0].truth_mm, rois[0].detected_mm).truth_to_detection
    assert np.array_equal(matches, expected)


def test_memory_does_not_grow_with_the_pairs(monkeypatch) -> None:
    """200 figures and 5,000 points on one place have a million pairs, of which 20,000 are held."""
    monkeypatch.setattr(pooled_matches, "MOST_PAIRS", 20_000)
    monkeypatch.setattr(near_pairs.blocks_of, "__defaults__", (20_000,))
    rois = [crowd(0, 200, 5000, 5)]
    tracemalloc.start()
    matched = PooledMatches.of(rois)
    match_points(rois[0].truth_mm, rois[0].detected_mm)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matched.by_radius.sum() == 200
    assert peak < 8 * 2**20, "one array of all pairs is as large"
