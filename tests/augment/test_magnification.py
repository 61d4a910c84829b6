"""Magnification: factors as far as the setting, and windows of whole px."""

from __future__ import annotations

import numpy as np
import pytest

from midog.augment.magnification import magnifications, widest_window, window_sides


def test_factors_reach_as_far_as_the_setting():
    drawn = magnifications(np.array([[0], [0.5], [1]], np.float32), 0.25)["magnifications"]
    np.testing.assert_allclose(drawn, [0.8, 1, 1.25], rtol=1e-6)


@pytest.mark.parametrize("reach", [0.01, 0.1, 0.37, 0.5])
@pytest.mark.parametrize("side", [64, 512])
def test_windows_are_even_and_none_is_larger_than_the_widest(reach, side):
    drawn = magnifications(np.linspace(0, 1, 101, dtype=np.float32)[:, None], reach)
    windows = window_sides(drawn["magnifications"], side)
    assert (windows % 2 == 0).all()
    assert windows.max() == widest_window(reach, side)
    np.testing.assert_allclose(side / windows, drawn["magnifications"], rtol=2.1 / side)
    assert widest_window(0, side) == side
