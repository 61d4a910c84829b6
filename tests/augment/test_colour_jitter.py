"""Colour jitter: each of its four changes alone, within the published bounds."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

from midog.augment.colour_jitter import COLOUR_JITTER, JitterSettings, jitters
from tests.augment.both_forms import by_device, colours, only
from tests.augment.test_stain_shift import numbers_of

NAMES = ("brightness", "saturation", "hue", "contrast")


def jittered(images, name, amount, bound):
    """Images with one change, of that share (-1 to 1) of its bound, in [0, 1]."""
    own = np.full((len(images), 4), 0.5, np.float32)
    own[:, NAMES.index(name)] = (amount + 1) / 2
    settings = only("colour_jitter", {name: bound})
    return by_device(images, settings, numbers_of("colour_jitter", own)) / 255


def test_the_usual_bounds_are_the_published_ones():
    numbers = np.array([[0.0] * 4, [1.0] * 4], np.float32)
    drawn = jitters(numbers, COLOUR_JITTER.example)
    assert np.allclose(drawn["brightness"], [-64 / 255, 64 / 255])
    assert np.allclose(drawn["saturation"], [0.75, 1.25])
    assert np.allclose(drawn["hue"], [-0.04, 0.04])
    assert np.allclose(drawn["contrast"], [0.25, 1.75])


@pytest.mark.parametrize("amount", [-1, 1])
def test_brightness_is_added_and_clipped(amount):
    images = colours(2)
    bright = jittered(images, "brightness", amount, 0.25)
    expected = (images.numpy() / 255 + 0.25 * amount).clip(0, 1)
    np.testing.assert_allclose(bright, expected, atol=1e-5)


@pytest.mark.parametrize(("name", "bound"), [("saturation", 0.5), ("hue", 0.2)])
@pytest.mark.parametrize("amount", [-1, 0.5, 1])
def test_saturation_and_hue_are_those_of_hsv(name, bound, amount):
    images = colours(1, side=16)
    changed = jittered(images, name, amount, bound).reshape(-1, 3)
    for pixel, new in zip((images.numpy() / 255).reshape(-1, 3), changed, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        if name == "hue":
            hue = (hue + bound * amount) % 1
        else:
            saturation = min(saturation * (1 + bound * amount), 1)
        np.testing.assert_allclose(new, colorsys.hsv_to_rgb(hue, saturation, value), atol=1e-5)


def test_contrast_keeps_the_mean_of_each_channel():
    images = torch.randint(100, 150, (2, 32, 32, 3), dtype=torch.uint8)
    plain = images.numpy() / 255
    mean = plain.mean(axis=(1, 2), keepdims=True)
    changed = jittered(images, "contrast", -1, 0.75)
    np.testing.assert_allclose(changed - mean, 0.25 * (plain - mean), atol=1e-5)


def test_it_is_off_where_all_bounds_are_0():
    assert not JitterSettings()
    assert JitterSettings(hue=0.01)
