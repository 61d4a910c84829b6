"""Places of a window in a box: none that holds more is left out."""

from __future__ import annotations

import numpy as np
import pytest

from midog.metrics.window_places import REACH, circle_places, rectangle_places


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("circle", [False, True])
def test_no_place_of_the_box_holds_more(seed: int, circle: bool) -> None:
    numbers = np.random.default_rng(seed)
    points = numbers.uniform(-0.7, 0.7, (9, 2))
    low, high = np.array([-0.1, -0.2]), np.array([0.1, 0.05])
    tried = (circle_places if circle else rectangle_places)(
        points, np.ones(9, int), (low, high), 5, 0
    )
    places = numbers.uniform(low, high, (3000, 2))
    apart = np.abs(places[:, None] - points)
    norm = np.hypot(apart[..., 0], apart[..., 1]) if circle else apart.max(axis=2)
    assert tried.count - 5 >= (norm <= REACH).sum(axis=1).max()
    apart = np.abs(tried.centres[:, None] - points)
    norm = np.hypot(apart[..., 0], apart[..., 1]) if circle else apart.max(axis=2)
    assert ((norm <= REACH + 1e-11).sum(axis=1) == tried.count - 5).all()
    assert (tried.centres >= low - 1e-9).all()
    assert (tried.centres <= high + 1e-9).all()
    sets = {tuple(row) for row in norm <= REACH + 1e-11}
    assert len(sets) == len(tried.centres)


@pytest.mark.parametrize("places", [circle_places, rectangle_places])
def test_a_box_without_points_in_doubt_holds_what_is_sure(places: object) -> None:
    assert callable(places)
    tried = places(np.zeros((0, 2)), np.zeros(0, int), (np.zeros(2), np.ones(2)), 3, 0)
    assert tried.count == 3
    assert len(tried.centres) == 1
