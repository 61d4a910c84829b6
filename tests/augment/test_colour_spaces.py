"""Colour spaces: OpenCV's and ours are one, and lead back to the same light."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.augment.colour_spaces import (
    SPACES,
    from_space,
    patch_from_space,
    patch_to_space,
    to_space,
)
from midog.shift.images import lab
from midog.stains import UNMIX
from tests.augment.both_forms import colours


def as_images(patches: torch.Tensor) -> torch.Tensor:
    return patches.permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("space", SPACES)
def test_both_forms_agree(space):
    patches = colours(4)
    ours = to_space(as_images(patches), space).permute(0, 2, 3, 1).numpy()
    for patch, own in zip(patches.numpy(), ours, strict=True):
        off = np.abs(patch_to_space(patch, space) - own)
        if space == "hsv":  # a grey has no hue
            off[..., 0] = np.minimum(off[..., 0], 360 - off[..., 0]) * (np.ptp(patch, axis=2) > 0)
        scale = {"lab": 100, "hsv": np.array([360, 1, 1]), "hed": 1}[space]
        assert (off / scale).max() < 0.005  # OpenCV interpolates the powers of LAB
        assert (off / scale).mean() < 0.001


@pytest.mark.parametrize("space", SPACES)
def test_the_way_there_and_back_leads_to_the_same_light(space):
    patches = colours(4)
    light = from_space(to_space(as_images(patches), space), space)
    torch.testing.assert_close(light, as_images(patches).clamp(min=0), rtol=0, atol=0.0041)
    for patch in patches.numpy():
        back = patch_from_space(patch_to_space(patch, space), space).astype(int)
        off = np.abs(back - patch)
        assert off.max() <= 2
        assert off.mean() < 0.1


def test_the_values_are_those_of_the_definition():
    patch = np.array([[[180, 120, 200], [255, 255, 255], [0, 200, 0]]], np.uint8)
    image = as_images(torch.from_numpy(patch)[None])
    np.testing.assert_allclose(
        to_space(image, "lab")[0].permute(1, 2, 0)[0], lab(patch[0]), atol=0.02
    )
    hsv = to_space(image, "hsv")[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(hsv[0, 0], [285 - 120, 0.4, 200 / 255], rtol=1e-5)
    assert hsv[0, 2, 0] == pytest.approx(0), "hue begins at green"
    hed = to_space(image, "hed")[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(hed[0, 0], -np.log10(patch[0, 0] / 255) @ UNMIX, atol=1e-5)


def test_what_no_colour_has_is_clipped():
    wild = np.array([[[120, 90, -90], [-10, 0, 0]]], np.float32)
    assert patch_from_space(wild.copy(), "lab").dtype == np.uint8
    assert from_space(torch.from_numpy(wild)[None].permute(0, 3, 1, 2), "lab").max() <= 1
    assert (patch_from_space(np.full((1, 1, 3), -9, np.float32), "hed") == 255).all()
    assert (patch_from_space(np.full((1, 1, 3), 9, np.float32), "hed") == 0).all()
