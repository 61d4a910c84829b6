"""The Gaussian average: its weights, its edges, and both forms alike."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.gaussian import gaussian_on_cpu, gaussian_on_device


def test_a_point_becomes_the_weights_of_sigma_1():
    point = np.zeros((9, 9, 3), np.float32)
    point[4, 4] = 1
    taps = np.exp(-0.5 * np.arange(-2, 3) ** 2.0)
    weights = np.outer(taps, taps) / taps.sum() ** 2
    smooth = gaussian_on_cpu(point)
    np.testing.assert_allclose(smooth[2:7, 2:7, 1], weights, rtol=1e-5)
    assert smooth.sum() == np.float32(3) or abs(smooth.sum() - 3) < 1e-5


def test_both_forms_are_one_up_to_the_edges():
    light = np.random.default_rng(0).random((12, 17, 3), np.float32)
    images = torch.from_numpy(light).permute(2, 0, 1)[None]
    of_device = gaussian_on_device(images)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(gaussian_on_cpu(light), of_device, atol=1e-6)
    out = np.empty_like(light)
    assert gaussian_on_cpu(light, out) is out or np.array_equal(out, gaussian_on_cpu(light))
