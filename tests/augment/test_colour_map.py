"""One map of colours: what ops of colours do one after the other."""

from __future__ import annotations

import numpy as np

from midog.augment.colour_map import colour_map
from midog.stains import mixing_matrices


def random_map(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    mixing = np.eye(3) + rng.normal(0, 0.1, (4, 3, 3))
    return {
        "mixing": mixing.astype(np.float32),
        "gains": rng.uniform(0.8, 1.2, (4, 3)).astype(np.float32),
    }


def test_the_map_of_several_is_their_maps_one_after_the_other():
    maps = [random_map(seed) for seed in range(3)]
    light = np.random.default_rng(9).uniform(0.1, 1, (4, 3))
    expected = light
    for own in maps:
        logs = np.einsum("bc,bcd->bd", np.log(expected), own["mixing"])
        expected = np.exp(logs) * own["gains"]
    mixing, gains = colour_map([maps[0], {"turns": np.zeros(4)}, *maps[1:]], 4)
    ours = np.exp(np.einsum("bc,bcd->bd", np.log(light), mixing)) * gains
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_stain_and_brightness_alone_are_their_own_matrices_to_the_bit():
    scales = np.random.default_rng(0).uniform(0.8, 1.2, (4, 3)).astype(np.float32)
    gains = scales[::-1].copy()
    mixing, factors = colour_map([{"scales": scales}, {"gains": gains}], 4)
    assert np.array_equal(mixing, mixing_matrices(scales))
    assert np.array_equal(factors, gains)


def test_no_op_of_colours_is_no_map():
    assert colour_map([{"turns": np.zeros(4)}], 4) is None


def test_light_that_is_gone_stays_finite():
    black = {"gains": np.zeros((4, 3), np.float32)}
    mixing, gains = colour_map([black, random_map(0)], 4)
    assert np.isfinite(mixing).all()
    assert np.isfinite(gains).all()
