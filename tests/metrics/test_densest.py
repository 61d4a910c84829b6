"""The most points of a window, with and without bounds on its centre, on awkward sets."""

from __future__ import annotations

import numpy as np
import pytest

from midog.metrics.densest import Allowed, densest


@pytest.mark.parametrize("circle", [False, True])
def test_a_lattice_whose_steps_divide_the_window(circle: bool) -> None:
    steps = np.arange(12) * 0.25
    points = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    best = densest(points, is_circle=circle, allowed=None)
    # 5 x 5 with both borders; a circle around a point holds 13, one beside it 14
    assert best.count == (14 if circle else 25)
    apart = np.abs(best.places[:, None] - points)
    norm = np.hypot(apart[..., 0], apart[..., 1]) if circle else apart.max(axis=2)
    assert ((norm <= 0.5 + 2e-9).sum(axis=1) == best.count).all()


@pytest.mark.parametrize("circle", [False, True])
def test_many_equal_points_beside_others(circle: bool) -> None:
    points = np.concatenate([np.zeros((500, 2)), [[0.5, 0.5]], np.full((499, 2), [3.0, 0.0])])
    best = densest(points, is_circle=circle, allowed=None)
    assert best.count == 501


@pytest.mark.parametrize("circle", [False, True])
def test_the_centre_stays_in_the_one_px_that_is_allowed(circle: bool) -> None:
    grid = np.zeros((20, 30), bool)
    grid[7, 11] = True
    points = np.random.default_rng(0).uniform(0, 3, (400, 2))
    best = densest(points, is_circle=circle, allowed=Allowed(grid, (0.1, 0.1)))
    assert (best.places >= np.array([1.1, 0.7]) - 1e-9).all()
    assert (best.places <= np.array([1.2, 0.8]) + 1e-9).all()
    assert best.count < densest(points, is_circle=circle, allowed=None).count


def test_counts_of_allowed_px() -> None:
    grid = np.random.default_rng(0).random((6, 8)) < 0.5
    allowed = Allowed(grid, (0.5, 0.25))
    low, high = (
        np.array([[-0.5, -0.25], [1.0, 0.5], [1.1, 0.55]]),
        np.array([[4.5, 2.0], [2.0, 1.0], [1.2, 0.6]]),
    )
    counts, px = allowed.counts(low, high)
    assert counts.tolist() == [grid.sum(), grid[2:4, 2:4].sum(), grid[2, 2]]
    assert px.tolist() == [10 * 9, 4, 1]
