"""Low frequencies: what numpy's whole transform gives, and the paper's formula with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.augment.low_frequencies import (
    change_on_cpu,
    change_on_device,
    low_amplitudes,
    reach_of,
)


def light(side: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((side, side, 3), np.float32)


def published(source: np.ndarray, target: np.ndarray, beta: float) -> np.ndarray:
    """Yang and Soatto 2020, in float64: source with the target's amplitudes in the middle of the
    shifted spectrum, from h - b to h + b, b = floor(beta S)."""
    spectrum, other = (np.fft.fft2(image, axes=(0, 1)) for image in (source, target))
    amplitudes, phases = np.abs(spectrum), np.angle(spectrum)
    shifted, wanted = (np.fft.fftshift(part, axes=(0, 1)) for part in (amplitudes, np.abs(other)))
    side = len(source)
    b, middle = int(np.floor(side * beta)), side // 2
    window = slice(middle - b, middle + b + 1)
    shifted[window, window] = wanted[window, window]
    amplitudes = np.fft.ifftshift(shifted, axes=(0, 1))
    return np.fft.ifft2(amplitudes * np.exp(1j * phases), axes=(0, 1)).real


@pytest.mark.parametrize(("side", "reach"), [(64, 0), (64, 3), (96, 9)])
def test_amplitudes_are_those_of_the_whole_transform(side, reach):
    image = light(side, 0)
    whole = np.abs(np.fft.fft2(image.astype(np.float64), axes=(0, 1)))
    expected = whole[: reach + 1][:, np.arange(-reach, reach + 1)]
    np.testing.assert_allclose(low_amplitudes(image, reach), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("beta", [0.0, 0.01, 0.05, 0.1])
def test_both_forms_are_the_published_formula(beta):
    source, target = light(64, 1), light(64, 2) ** 2
    reach = reach_of(64, beta)
    expected = published(source.astype(np.float64), target.astype(np.float64), beta)
    amplitudes = low_amplitudes(target, reach)
    np.testing.assert_allclose(source + change_on_cpu(source, amplitudes), expected, atol=1e-5)
    images = torch.from_numpy(source).permute(2, 0, 1)[None]
    ours = images + change_on_device(images, torch.from_numpy(amplitudes)[None])
    np.testing.assert_allclose(ours[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_its_own_amplitudes_change_nothing():
    image = light(64, 3)
    assert np.abs(change_on_cpu(image, low_amplitudes(image, 4))).max() < 1e-5


def test_a_window_without_amplitude_stays_finite():
    black = np.zeros((32, 32, 3), np.float32)
    assert np.isfinite(change_on_cpu(black, np.ones((2, 3, 3), np.float32))).all()
    images = torch.zeros(1, 3, 32, 32)
    assert change_on_device(images, torch.ones(1, 2, 3, 3)).isfinite().all()
