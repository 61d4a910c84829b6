"""Areas are filled by even-odd at the middles of px, as a point-in-polygon test does."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from midog.tissue.rings import fill_area


@pytest.mark.parametrize("seed", range(40))
def test_it_fills_what_a_point_in_polygon_test_finds(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    rings = [numbers.uniform(-10, 40, (numbers.integers(3, 12), 2)) for _ in range(1 + seed % 3)]
    mask = np.zeros((25, 30), bool)
    fill_area(mask, rings)
    y, x = np.indices(mask.shape) + 0.5
    middles = np.stack([x.ravel(), y.ravel()], axis=1)
    expected = np.zeros(len(middles), bool)
    for ring in rings:
        expected ^= crossings_odd(ring, middles)
    np.testing.assert_array_equal(mask.ravel(), expected)


def crossings_odd(ring: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether a ray to the left from each point crosses the ring an odd number of times."""
    odd = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        spans = (y1 <= points[:, 1]) != (y2 <= points[:, 1])
        if y1 != y2:
            odd ^= spans & (x1 + (points[:, 1] - y1) * (x2 - x1) / (y2 - y1) <= points[:, 0])
    return odd


def test_a_convex_area_is_what_matplotlib_fills() -> None:
    ring = np.array([(3.2, 1.1), (20.7, 4.4), (17.3, 22.8), (5.5, 18.9)])
    mask = np.zeros((25, 30), bool)
    fill_area(mask, [ring])
    y, x = np.indices(mask.shape) + 0.5
    inside = Outline(ring).contains_points(np.stack([x.ravel(), y.ravel()], axis=1))
    np.testing.assert_array_equal(mask.ravel(), inside)


def test_neighbours_share_no_px_and_leave_none_out() -> None:
    left, right = np.zeros((2, 10, 10), bool)
    fill_area(left, [np.array([(0, 0), (4.5, 0), (4.5, 10), (0, 10)])])
    fill_area(right, [np.array([(4.5, 0), (10, 0), (10, 10), (4.5, 10)])])
    assert (left ^ right).all()


def test_a_hole_stays_and_a_cut_takes_away() -> None:
    square = np.array([(0, 0), (10, 0), (10, 10), (0, 10)], float)
    mask = np.zeros((10, 10), bool)
    fill_area(mask, [square, square * 0.5])
    assert mask.sum() == 75
    fill_area(mask, [square], False)
    assert not mask.any()


def test_areas_beyond_the_mask_and_no_rings_set_nothing() -> None:
    mask = np.zeros((10, 10), bool)
    square = np.array([(0, 0), (9, 0), (9, 9), (0, 9)], float)
    for shift in (-20, 20):
        fill_area(mask, [square + np.array([shift, 0])])
        fill_area(mask, [square + np.array([0, shift])])
    fill_area(mask, [])
    assert not mask.any()
