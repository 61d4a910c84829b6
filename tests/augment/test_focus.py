"""Focus: amounts that vary within a patch, sharpened here and blurred there."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.focus import focus_amounts
from midog.augment.gaussian import gaussian_on_cpu
from tests.augment.both_forms import by_cpu, by_device, only
from tests.augment.test_stain_shift import numbers_of


def test_amounts_reach_from_sharper_to_blurred_at_most():
    numbers = np.linspace(0, 1, 25, dtype=np.float32)[None]
    for highest, most in ((0.5, 0.5), (2.0, 1.0)):
        amounts = focus_amounts(numbers, highest)["amounts"]
        assert amounts.shape == (1, 5, 5)
        assert amounts.dtype == np.float32
        assert (amounts[0, 0, 0], amounts[0, -1, -1]) == (-highest, most)


def test_one_half_is_blurred_while_the_other_is_sharpened():
    images = torch.from_numpy(
        np.random.default_rng(0).integers(60, 200, (1, 64, 64, 3), dtype=np.uint8)
    )
    grid = np.zeros((1, 5, 5), np.float32)
    grid[:, :, 3:] = 1  # the right is blurred, the left sharpened
    numbers = numbers_of("focus", grid.reshape(1, 25))
    plain = images[0].numpy().astype(np.float32)
    smooth = gaussian_on_cpu(plain)
    for form in (by_cpu, by_device):
        patch = form(images, only("focus", 1), numbers)[0].astype(float)
        np.testing.assert_allclose(patch[:, -16:], smooth[:, -16:], atol=0.51)
        sharp = np.clip(2 * plain - smooth, 0, 255)
        np.testing.assert_allclose(patch[:, :16], sharp[:, :16], atol=0.51)
        between = patch[:, 33:38].std(axis=(0, 1)).mean()
        assert smooth[:, 33:38].std(axis=(0, 1)).mean() < between
        assert between < sharp[:, 33:38].std(axis=(0, 1)).mean()
