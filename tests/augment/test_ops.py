"""OPS: every op whole, in the order of every release."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.augment.draw import draw_numbers
from midog.augment.ops import OPS
from midog.config.schema import augment_settings
from tests.augment.both_forms import (
    by_cpu,
    by_device,
    colours,
    only,
    references_for,
    usual,
)
from tests.stained import USUAL, painted


def test_numbers_are_drawn_in_the_order_of_every_release():
    draws = [(name, op.draws) for name, op in OPS.items()]
    assert draws[:4] == [("flip", 1), ("stain", 3), ("brightness", 3), ("blur", 2)]


@pytest.mark.parametrize("name", list(OPS)[4:])
def test_ops_that_are_no_part_of_the_defaults_are_off_and_have_a_usual_setting(name):
    assert not OPS[name].default
    assert OPS[name].example
    assert getattr(augment_settings()(**{name: OPS[name].example}), name)


ON_PATCHES = [name for name in OPS if name not in ("mpp", "copy_paste")]
"""The others act where patches are cut: tests/loading/test_boxes_on_figures.py."""


@pytest.mark.parametrize("name", ON_PATCHES)
def test_both_forms_are_equal_in_range_and_change_patches(name):
    images = torch.from_numpy(painted(USUAL, patches=8, side=64))
    before, references = images.clone(), references_for(only(name))
    on_cpu, light = (form(images, only(name), None, references) for form in (by_cpu, by_device))
    assert torch.equal(images, before), "the given patches stay as they were"
    assert light.min() >= 0
    assert light.max() <= 255
    changed = np.abs(light - images.numpy()).max(axis=(1, 2, 3)) > 1
    assert changed.sum() >= 4
    off = np.abs(on_cpu - light)
    if name in ("jpeg", "randstainna"):  # OpenCV's integers against float32
        assert off.mean() < 1
    else:
        assert off.max() <= 0.51


@pytest.mark.parametrize("name", OPS)
def test_off_it_changes_nothing(name):
    images = colours(3)
    settings = only()
    assert not getattr(settings, name)
    assert np.array_equal(by_cpu(images, settings), images.numpy())
    assert np.array_equal(by_device(images, settings).round(), images.numpy())


@pytest.mark.parametrize("name", ON_PATCHES)
def test_a_patch_is_changed_by_its_draw_whatever_batch_it_is_in(name):
    images, numbers = colours(4, side=32), draw_numbers(5, 2, range(4))
    references = references_for(only(name), 32)
    whole, alone = (
        by_device(images[part], only(name), numbers[part], references)
        for part in (slice(4), slice(2, 3))
    )
    np.testing.assert_allclose(alone[0], whole[2], rtol=0, atol=0.01)


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_whole(name):
    op = OPS[name]
    assert op.about
    assert getattr(augment_settings()(), name) == op.default
    numbers = np.full((3, op.draws), 0.5, np.float32)
    references = references_for(only(name)).values()
    parameters = op.parameters(numbers, usual(name), *references)
    assert {len(values) for values in parameters.values()} == {3}
    assert (op.references is None) == (op.describe is None)
