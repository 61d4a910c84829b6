"""Noise fields: the same on every device, nearly normal, without a pattern."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.noise_field import noise_on_cpu, noise_on_device

SEEDS = [0, 1, 2**31, 2**32 - 1]


def test_both_forms_are_equal_to_the_bit():
    fields = noise_on_device(torch.tensor(SEEDS), 128)
    for seed, field in zip(SEEDS, fields, strict=True):
        assert np.array_equal(field.permute(1, 2, 0).numpy(), noise_on_cpu(seed, 128))


def test_it_has_mean_0_and_deviation_1_and_the_tails_of_four_bytes():
    field = noise_on_cpu(7, 512)
    assert abs(field.mean()) < 0.005
    assert abs(field.std() - 1) < 0.005
    assert 3 < np.abs(field).max() < 3.5
    assert abs((np.abs(field) < 1).mean() - 0.67) < 0.01


def test_neighbours_channels_and_seeds_are_not_alike():
    field, other = noise_on_cpu(7, 256), noise_on_cpu(8, 256)
    pairs = [
        (field[1:], field[:-1]),
        (field[:, 1:], field[:, :-1]),
        (field[..., 1:], field[..., :-1]),
        (field, other),
    ]
    for one, two in pairs:
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.01
