"""Brushes of the phantom: noise has its scale, windows lay colour over colour."""

from __future__ import annotations

import numpy as np
import pytest

from midog.data.phantom.paint import Grain, Window, inside, outline, smooth_noise


@pytest.mark.parametrize("scale", [4.0, 16.0, 33.3])
def test_noise_has_mean_0_deviation_1_and_varies_over_its_scale(scale: float) -> None:
    noise = smooth_noise(np.random.default_rng(0), 1024, scale)
    assert noise.shape == (1024, 1024)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.1
    assert 0.85 < noise.std() < 1.1
    near, far = round(scale / 4), round(3 * scale)
    likeness = [
        np.corrcoef(noise[:, :-gap].ravel(), noise[:, gap:].ravel())[0, 1] for gap in (near, far)
    ]
    assert likeness[0] > 0.9
    assert abs(likeness[1]) < 0.15


def test_noise_may_be_coarser_than_the_image() -> None:
    assert smooth_noise(np.random.default_rng(0), 100, 300.0).shape == (100, 100)


def test_grain_is_cut_to_size_and_gets_coarser() -> None:
    rng = np.random.default_rng(1)
    grain = Grain(rng)
    roughness = [
        np.abs(np.diff(grain.cut(rng, 200, coarseness))).mean() for coarseness in (0, 1, 2)
    ]
    assert grain.cut(rng, 64, 0).shape == (64, 64)
    assert roughness == sorted(roughness, reverse=True)


def test_a_layer_covers_what_is_below_by_its_opacity() -> None:
    window = Window(4)
    window.over(np.full((4, 4), 0.5, np.float32), 1.0, 0.0)
    np.testing.assert_allclose(window.stain[:, 0, 0], [0.5, 0.0, 0.5])
    window.over(np.ones((4, 4), np.float32), 0.2, 0.4)
    np.testing.assert_allclose(window.stain[:, 0, 0], [0.2, 0.4, 1.0], rtol=1e-6)


def test_an_outline_is_a_disc_where_it_is_even() -> None:
    window = Window(41)
    depth = outline(np.random.default_rng(0), window.x, window.y, (10.0, 10.0), rough=0.0)
    np.testing.assert_allclose(depth, 10 - np.hypot(window.x, window.y), atol=1e-4)
    opacity = inside(depth, 2)
    assert opacity[20, 20] == 1
    assert opacity[0, 0] == 0
    assert opacity.sum() == pytest.approx(np.pi * 100, rel=0.02)
