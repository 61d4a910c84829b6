"""Stains: mixtures come apart again, and the constants are those of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.stains import (
    STAINS,
    UNMIX,
    macenko,
    mixing_matrices,
    optical_density,
    tissue_share,
)
from tests.stained import BROWNISH, RUIFROK, angle, painted


def test_stain_vectors_have_length_1_and_unmixing_undoes_mixing():
    np.testing.assert_allclose(np.linalg.norm(STAINS, axis=1), 1)
    amounts = np.array([[0.3, 0.8, 0.1]])
    np.testing.assert_allclose(amounts @ STAINS @ UNMIX, amounts)
    assert angle(STAINS[0], RUIFROK[0]) < 1
    assert angle(STAINS[1], RUIFROK[1]) < 1


def test_a_mixing_matrix_scales_each_stain():
    scales = np.array([[2.0, 0.5, 1.0]], np.float32)
    mixing = mixing_matrices(scales)
    assert mixing.shape == (1, 3, 3)
    assert mixing.dtype == np.float32
    for row, scale in zip(STAINS, scales[0], strict=True):
        np.testing.assert_allclose(row @ mixing[0], scale * row, rtol=1e-5)


@pytest.mark.parametrize("stains", [RUIFROK, BROWNISH], ids=["Ruifrok", "brownish"])
def test_macenko_finds_the_stains_that_were_mixed(stains):
    estimate, amounts = macenko(painted(stains).reshape(-1, 3))
    assert angle(estimate[0], stains[0]) < 2
    assert angle(estimate[1], stains[1]) < 2
    np.testing.assert_allclose(np.linalg.norm(estimate, axis=1), 1)
    np.testing.assert_allclose(amounts, 1.1, atol=0.05)


def test_stains_are_found_where_few_pixels_hold_one_alone():
    mixed = np.clip(
        256 * 10.0 ** -(np.random.default_rng(0).uniform(0.3, 1.1, (20_000, 2)) @ RUIFROK) - 1,
        0,
        255,
    )
    alone = painted(RUIFROK, patches=1).reshape(-1, 3)[:3000]
    estimate, _ = macenko(np.concatenate([mixed.astype(np.uint8), alone]))
    assert angle(estimate[0], RUIFROK[0]) < 3
    assert angle(estimate[1], RUIFROK[1]) < 3


def test_haematoxylin_comes_first_however_the_stains_are_named():
    estimate, _ = macenko(painted(RUIFROK[::-1]).reshape(-1, 3))
    assert estimate[0, 0] > estimate[1, 0]
    assert angle(estimate[0], RUIFROK[0]) < 2


def test_glass_around_the_tissue_changes_no_stain():
    pixels = painted(RUIFROK).reshape(-1, 3)
    glass = np.full((3 * len(pixels), 3), 250, np.uint8)
    for alone, with_glass in zip(
        macenko(pixels), macenko(np.concatenate([pixels, glass])), strict=True
    ):
        np.testing.assert_allclose(alone, with_glass)


def test_optical_density_runs_from_white_to_black():
    assert optical_density(np.array([255, 127, 0], np.uint8)) == pytest.approx(
        [0, math.log10(2), math.log10(256)]
    )
    assert tissue_share(np.array([[[255] * 3, [100] * 3]], np.uint8)) == 0.5
