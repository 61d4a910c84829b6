"""Noise of a camera: as much as drawn, everywhere alike or with the root of light."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.noise import noise_amounts
from tests.augment.both_forms import by_cpu, only


def steps(side: int = 128) -> torch.Tensor:
    """Patches of one level each: 32, 64, 128, 192."""
    levels = torch.tensor([32, 64, 128, 192], dtype=torch.uint8)
    return levels[:, None, None, None].expand(-1, side, side, 3).contiguous()


def test_amounts_reach_as_far_as_the_setting_and_every_patch_has_a_seed():
    drawn = noise_amounts(np.array([[0, 0, 0], [0.5, 0.25, 1]], np.float32), 0.2)
    assert drawn["deviations"].tolist() == np.array([0, 0.1], np.float32).tolist()
    assert drawn["seeds"].tolist() == [0, 2**30 + 2**16 - 1]


def test_deviations_are_those_drawn():
    images = steps()
    from tests.augment.test_stain_shift import numbers_of

    rows = np.array([[0.5, seed / 4, 0] for seed in range(4)], np.float32)
    plain = by_cpu(images, only("noise", 0.04), numbers_of("noise", rows)).astype(float)
    of_light = by_cpu(images, only("shot_noise", 0.08), numbers_of("shot_noise", rows)).astype(
        float
    )
    levels = images[:, 0, 0, 0].numpy()
    for noisy, level in zip(plain, levels, strict=True):
        assert abs(noisy.mean() - level) < 0.1
        assert abs(noisy.std() - 0.02 * 255) < 0.1
    for noisy, level in zip(of_light, levels, strict=True):
        assert abs(noisy.mean() - level) < 0.2
        assert abs(noisy.std() - 0.04 * 255 * np.sqrt(level / 255)) < 0.15
