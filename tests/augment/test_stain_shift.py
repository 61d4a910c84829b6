"""Stains scaled, shifted and turned: what is left of a pixel's own amounts, and how far it goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.augment.draw import draw_numbers
from midog.augment.stain_shift import shifted_densities, turned_stains
from midog.stains import STAINS, UNMIX
from tests.augment.both_forms import by_cpu, by_device, only


def numbers_of(name: str, rows: np.ndarray) -> np.ndarray:
    """Numbers of a whole draw in which `name` has these."""
    from midog.augment.ops import OPS

    first = 0
    for other, op in OPS.items():
        if other == name:
            break
        first += op.draws
    numbers = draw_numbers(0, 0, range(len(rows)))
    numbers[:, first : first + rows.shape[1]] = rows
    return numbers


def test_amounts_are_scaled_and_shifted_as_published():
    rows = np.array([[0.75, 0, 0.5, 0, 0.9, 0.5]], np.float32)
    amounts = np.array([[[[0.3, 0.4, 0.05], [0.8, 0.2, 0.1], [0.3, 0.7, 0.1]]]])
    patch = np.rint(255 * 10.0 ** -(amounts @ STAINS)).astype(np.uint8)
    patch = np.tile(patch, (1, 32, 11, 1))[:, :, :32]
    light = by_device(torch.from_numpy(patch), only("hed", 0.2), numbers_of("hed", rows))
    before = -np.log10(patch / 255) @ UNMIX
    after = -np.log10(light / 255) @ UNMIX
    expected = before * [1.1, 0.8, 1] + [-0.2, 0.16, 0]
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-5)


def test_glass_is_tinted_by_a_shift():
    rows = np.array([[0.5, 0.5, 0.5, 0.999, 0.5, 0.5]], np.float32)
    white = torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)
    tinted = by_device(white, only("hed", 0.1), numbers_of("hed", rows))[0, 0, 0]
    np.testing.assert_allclose(tinted, 255 * 10 ** -(0.0998 * STAINS[0]), rtol=0, atol=0.01)
    assert (
        np.abs(by_cpu(white, only("hed", 0.1), numbers_of("hed", rows))[0, 0, 0] - tinted).max() < 1
    )


def test_factors_and_shifts_reach_as_far_as_the_setting():
    ends = shifted_densities(np.array([[0.0] * 6, [1.0] * 6], np.float32), 0.3)
    for mixing, gains, sign in zip(ends["mixing"], ends["gains"], (-1, 1), strict=True):
        np.testing.assert_allclose(mixing, (1 + sign * 0.3) * np.eye(3), rtol=0, atol=1e-6)
        np.testing.assert_allclose(-np.log10(gains), sign * 0.3 * STAINS.sum(0), rtol=1e-5)


@pytest.mark.parametrize("degrees", [1.0, 10.0, 30.0])
def test_stains_turn_by_at_most_the_angle_and_amounts_stay(degrees):
    numbers = draw_numbers(3, 0, range(200))[:, :4]
    numbers[:3, [0, 2]] = 0.999
    turned = STAINS @ turned_stains(numbers, degrees)["mixing"]
    angles = np.degrees(np.arccos(np.einsum("bsc,sc->bs", turned, STAINS).clip(-1, 1)))
    assert angles[:, :2].max() <= degrees * 1.001
    assert angles[:, 0].max() > 0.9 * degrees
    np.testing.assert_allclose(np.linalg.norm(turned, axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(turned[:, 2], np.tile(STAINS[2], (200, 1)), atol=1e-6)
    assert turned.min() > -1e-6, "no stain shines"
    assert len(np.unique(turned[:, 1].round(4), axis=0)) > 150


def test_both_forms_hold_where_all_ops_of_colours_reach_furthest():
    from tests.augment.both_forms import colours

    settings = only().model_copy(
        update={
            "stain": 1.0,
            "brightness": 1.0,
            "hed": 1.0,
            "stain_basis": 30.0,
            "gamma": 1.0,
            "white_balance": 1.0,
        }
    )
    images = colours(32)
    light = by_device(images, settings)
    assert np.isfinite(light).all()
    assert np.abs(by_cpu(images, settings) - light).max() <= 0.51
