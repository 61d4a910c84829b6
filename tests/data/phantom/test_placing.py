"""Places of cells: apart, away from others, and what is painted or read there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.data.phantom.paint import Window
from midog.data.phantom.placing import apart, away_from, lattice, paint_window, values_at


def points_of(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 100, (count, 2))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99), st.integers(0, 60), st.floats(0, 40))
def test_kept_points_are_apart_and_no_other_could_be_kept(seed: int, count: int, gap: float):
    points = points_of(seed, count)
    kept = apart(points, gap)
    distances = np.hypot(*(kept[:, None] - kept[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, np.inf)
    assert (distances >= gap).all()
    for point in points:
        assert (np.hypot(*(kept - point).T) < gap).any() or (kept == point).all(axis=1).any()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99), st.integers(0, 30), st.integers(0, 30))
def test_points_away_from_others_are_at_that_distance(seed: int, count: int, others: int):
    points, near = points_of(seed, count), points_of(seed + 1, others)
    kept = away_from(points, near, 15.0)
    if not others:
        assert len(kept) == count
        return
    distances = np.hypot(*(points[:, None] - near[None]).transpose(2, 0, 1)).min(axis=1)
    np.testing.assert_array_equal(kept, points[distances >= 15])


@pytest.mark.parametrize("spacing", [24.0, 46.0])
def test_a_lattice_covers_the_roi_about_evenly(spacing: float):
    points = lattice(np.random.default_rng(0), 512, spacing)
    inside = ((points >= 0) & (points < 512)).all(axis=1).sum()
    assert inside == pytest.approx(512**2 / (0.866 * spacing**2), rel=0.1)


def test_a_window_is_painted_where_it_overlaps_the_stain():
    window = Window(4)
    window.over(np.ones((4, 4), np.float32), 0.5, 0.25)
    stain = np.zeros((2, 8, 8), np.float32)
    paint_window(stain, window, np.array([0.0, 7.0]))
    assert (stain[0, 5:, :2] == 0.5).all()
    assert (stain[1, 5:, :2] == 0.25).all()
    assert stain[0].sum() == 0.5 * 6
    paint_window(stain, window, np.array([50.0, 50.0]))
    assert stain[0].sum() == 0.5 * 6


def test_values_beyond_the_edge_are_those_at_the_edge():
    field = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert values_at(field, np.array([[0.4, 1.6], [-5, 1], [9, 9]])).tolist() == [6, 3, 8]
