"""Draws of augmentation: repeatable by draw, one op's numbers apart from another's."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from midog.augment.blur import BLUR
from midog.augment.draw import (
    augmentation_of,
    draw_count,
    draw_numbers,
    ops_without_cpu_form,
)
from midog.augment.ops import OPS
from midog.config.schema import augment_settings

OFF = augment_settings()(flip=False, stain=0, brightness=0, blur=0)


def test_numbers_belong_to_seed_epoch_and_index():
    numbers = draw_numbers(0, 1, [3, 4])
    assert numbers.shape == (2, draw_count())
    assert numbers.dtype == np.float32
    assert np.array_equal(draw_numbers(0, 1, [4])[0], numbers[1])
    assert not np.array_equal(draw_numbers(0, 2, [3])[0], numbers[0])
    assert draw_numbers(0, 0, []).shape == (0, draw_count())


def test_numbers_are_those_of_every_release():
    assert draw_numbers(7, 3, [0])[0, :2].tolist() == [
        float.fromhex("0x1.5518b00000000p-2"),
        float.fromhex("0x1.78db700000000p-1"),
    ]
    many = b"".join(
        np.ascontiguousarray(draw_numbers(seed, epoch, range(50))[:, :9]).tobytes()
        for seed in (0, 2**63 - 1)
        for epoch in (0, 399)
    )
    assert (
        hashlib.sha256(many).hexdigest()
        == "d31f7899c278f960a99050f3900f80b3dd4528fa5c3d530f672d9fce41c6e09c"
    )


def test_without_any_augmentation_nothing_is_done():
    nothing = augmentation_of(draw_numbers(0, 0, range(4)), OFF)
    assert nothing.flips is nothing.mixing is nothing.gains is None
    assert len(nothing.blurred) == len(nothing.amounts) == 0
    assert nothing.steps == nothing.moves == ()


@pytest.mark.parametrize("name", ["stain", "brightness"])
def test_of_the_two_of_colour_one_leaves_the_others_factors_at_1(name):
    numbers = draw_numbers(0, 0, range(4))
    both = augmentation_of(numbers, OFF.model_copy(update={"stain": 0.2, "brightness": 0.1}))
    alone = augmentation_of(numbers, OFF.model_copy(update={name: getattr(OFF, name) or 0.1}))
    assert both.mixing is not None
    assert both.gains is not None
    if name == "stain":
        assert torch.equal(alone.gains, torch.ones(4, 3))
    else:
        torch.testing.assert_close(alone.mixing, torch.eye(3).expand(4, 3, 3), rtol=0, atol=1e-6)
        assert torch.equal(alone.gains, both.gains)


def test_boxes_move_with_their_patches():
    numbers = np.zeros((2, draw_count()), np.float32)
    numbers[1, 0] = 4 / 8  # mirrored left to right
    augmentation = augmentation_of(numbers, OFF.model_copy(update={"flip": True}))
    boxes = np.array([[1, 2, 3, 4], [1, 2, 3, 4]], np.float32)
    moved = augmentation.move_boxes(boxes, np.array([0, 1]), 10)
    assert moved.tolist() == [[1, 2, 3, 4], [7, 2, 9, 4]]


def test_ops_without_a_form_for_cpus_are_named_where_they_are_on(monkeypatch):
    monkeypatch.setitem(OPS, "blur", replace(BLUR, on_device=lambda images, parameters: images))
    assert ops_without_cpu_form(augment_settings()()) == ["blur"]
    assert ops_without_cpu_form(OFF) == []
