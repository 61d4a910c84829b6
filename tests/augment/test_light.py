"""Gamma and white balance: powers and factors as far as the setting, brightness kept."""

from __future__ import annotations

import numpy as np
import pytest

from midog.augment.light import balances, gammas
from tests.augment.both_forms import by_device, colours, only


def test_powers_reach_as_far_as_the_setting():
    powers = gammas(np.array([[0], [0.5], [1]], np.float32), 0.25)["mixing"]
    np.testing.assert_allclose(
        powers, np.array([0.8, 1, 1.25])[:, None, None] * np.eye(3), atol=1e-6
    )


def test_light_is_raised_to_a_power():
    images = colours(6).clamp(min=1, max=254)
    light = by_device(images, only("gamma", 0.5)) / 255
    powers = np.log(light) / np.log(images.numpy() / 255)
    ordinary = (images.numpy() > 20) & (images.numpy() < 240)
    for own, of_patch in zip(powers, ordinary, strict=True):
        assert np.ptp(own[of_patch]) < 1e-3, "one power for a whole patch"
        assert 1 / 1.5 < own[of_patch].mean() < 1.5


def test_brightness_is_kept_where_the_balance_moves():
    numbers = np.random.default_rng(0).random((50, 3), np.float32)
    gains = balances(numbers, 0.3)["gains"]
    np.testing.assert_allclose(gains.prod(axis=1), 1, rtol=1e-5)
    assert gains.max() < 1.3**2
    assert np.ptp(gains[:, 0]) > 0.2
    assert balances(np.full((1, 3), 0.9, np.float32), 0.3)["gains"] == pytest.approx(1)
