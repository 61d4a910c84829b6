"""Warps: a dot comes to where its box is said to come, and what is beyond the edge is white."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.augment.draw import augmentation_of
from midog.augment.warp import WARP, WarpSettings, warps
from tests.augment.both_forms import by_device, only
from tests.augment.test_stain_shift import numbers_of

SIDE = 96
ALL = {"rotation": 30, "shear": 0.3, "elastic": 0.04}
PARTS = [{name: value} for name, value in ALL.items()]


def dotted(x: float, y: float) -> torch.Tensor:
    """A white patch (1, SIDE, SIDE, 3) with a dark spot about x, y."""
    along = np.arange(SIDE) + 0.5
    spot = np.exp(-((along - x)[None] ** 2 + (along - y)[:, None] ** 2) / (2 * 1.5**2))
    grey = (255 - 255 * spot).round().astype(np.uint8)
    return torch.from_numpy(np.repeat(grey[None, :, :, None], 3, axis=3))


def middle_of(patch: np.ndarray) -> tuple[float, float]:
    """Where the spot is."""
    dark = 255 - patch[..., 0]
    along = np.arange(SIDE) + 0.5
    return dark.sum(axis=0) @ along / dark.sum(), dark.sum(axis=1) @ along / dark.sum()


@pytest.mark.parametrize("bounds", [*PARTS, ALL], ids=str)
@given(seed=st.integers(0, 10**6), x=st.floats(30, 66), y=st.floats(30, 66))
@settings(max_examples=6)
def test_a_spot_and_the_middle_of_its_box_come_to_the_same_place(bounds, seed, x, y):
    own = np.random.default_rng(seed).random((1, WARP.draws), dtype=np.float32)
    numbers, on = numbers_of("warp", own), only("warp", bounds)
    warped = by_device(dotted(x, y), on, numbers)[0]
    box = np.array([[x - 2, y - 2, x + 2, y + 2]], np.float32)
    moved = augmentation_of(numbers, on).move_boxes(box, np.zeros(1, np.int64), SIDE)[0]
    np.testing.assert_allclose((moved[:2] + moved[2:]) / 2, middle_of(warped), atol=0.4)


@pytest.mark.parametrize(("sides", "turned"), [((16, 16), (16, 16)), ((20, 10), (250**0.5,) * 2)])
def test_a_turned_square_keeps_its_box_and_a_long_one_becomes_as_wide_as_its_spread(sides, turned):
    own = np.full((1, WARP.draws), 0.5, np.float32)
    own[0, 0] = 1.0
    width, height = sides
    box = np.array([[48 - width / 2, 48 - height / 2, 48 + width / 2, 48 + height / 2]], np.float32)
    numbers, on = numbers_of("warp", own), only("warp", {"rotation": 45})
    moved = augmentation_of(numbers, on).move_boxes(box, np.zeros(1, np.int64), SIDE)[0]
    np.testing.assert_allclose(moved[2:] - moved[:2], turned, atol=1e-3)


def test_a_turn_is_exact_and_by_the_drawn_angle():
    own = np.full((1, WARP.draws), 0.5, np.float32)
    own[0, 0] = 1.0
    numbers, on = numbers_of("warp", own), only("warp", {"rotation": 45})
    box = np.array([[46, 16, 50, 20]], np.float32)  # 30 px above the middle
    moved = augmentation_of(numbers, on).move_boxes(box, np.zeros(1, np.int64), SIDE)[0]
    leg = 30 / np.sqrt(2)
    np.testing.assert_allclose(moved[:2], [48 - leg - 2, 48 - leg - 2], atol=1e-2)


def test_what_is_beyond_the_edge_is_white():
    own = np.full((1, WARP.draws), 0.5, np.float32)
    own[0, 0] = 1.0
    black = torch.zeros((1, SIDE, SIDE, 3), dtype=torch.uint8)
    warped = by_device(black, only("warp", {"rotation": 45}), numbers_of("warp", own))[0]
    assert (warped[0, 0] == 255).all()
    assert warped[30:66, 30:66].max() < 0.01


def test_nothing_drawn_changes_nothing():
    own = np.full((1, WARP.draws), 0.5, np.float32)
    images = torch.randint(0, 256, (1, 64, 64, 3)).to(torch.uint8)
    warped = by_device(images, only("warp", ALL), numbers_of("warp", own))
    np.testing.assert_allclose(warped, images.numpy(), atol=0.01)


def test_displacements_are_within_their_bound_and_never_fold():
    own = np.random.default_rng(0).integers(0, 2, (64, WARP.draws)).astype(np.float32)
    drawn = warps(own, WarpSettings(elastic=0.04))["displacements"]
    assert np.abs(drawn).max() == pytest.approx(0.04)
    # the steepest change of position per position, between two places of opposite displacement
    assert 2 * 0.04 * (np.pi / 2) * 4 < 0.51


def test_no_boxes_are_moved_nowhere():
    drawn = warps(np.zeros((0, WARP.draws), np.float32), WarpSettings(**ALL))
    assert WARP.move_boxes(np.zeros((0, 4), np.float32), drawn, SIDE).shape == (0, 4)
