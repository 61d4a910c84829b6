"""Stain and brightness: factors around 1, as far as the setting reaches."""

from __future__ import annotations

import numpy as np
import pytest

from midog.augment.colour import channel_gains, stain_scales


@pytest.mark.parametrize(("op", "name"), [(stain_scales, "scales"), (channel_gains, "gains")])
def test_factors_reach_as_far_as_the_setting(op, name):
    numbers = np.array([[0, 0.5, 1]], np.float32)
    factors = op(numbers, 0.25)[name]
    assert factors.dtype == np.float32
    assert factors.tolist() == [[0.75, 1, 1.25]]
