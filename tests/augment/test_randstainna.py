"""RandStainNA: statistics as computed by hand, templates between scanners, patches that take
them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from midog.augment.colour_spaces import patch_to_space
from midog.augment.randstainna import (
    RANDSTAINNA,
    RandStainSettings,
    Templates,
    templates_of,
    virtual_stains,
)
from tests.augment.both_forms import by_cpu, by_device, only
from tests.augment.reference_pixels import Painted
from tests.augment.test_stain_shift import numbers_of
from tests.stained import USUAL, painted

ON = RandStainSettings(share=1.0)
TEMPLATES = Templates(
    "lab",
    np.array([[60.0, 30.0, -20.0], [5.0, 4.0, 3.0]]),
    np.array([[12.0, 6.0, 5.0], [2.0, 1.0, 1.0]]),
    {"A": 1},
)


def test_statistics_are_those_of_the_patches_and_every_scanner_counts_as_much():
    pixels = Painted()
    templates = templates_of(pixels, ON)
    rows = {
        scanner: np.array(
            [
                [part.ravel() for part in cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2LAB))]
                for image in (images / 255).astype(np.float32)
            ]
        )
        for scanner, images in pixels.images.items()
    }
    # as if every scanner had 15 patches
    even = np.concatenate([np.repeat(rows["A"], 3, axis=0), np.repeat(rows["B"], 5, axis=0)])
    np.testing.assert_allclose(templates.means, [even[:, 0].mean(0), even[:, 0].std(0)], rtol=1e-4)
    np.testing.assert_allclose(
        templates.deviations, [even[:, 1].mean(0), even[:, 1].std(0)], rtol=1e-4
    )
    assert templates.scanners == {"A": 5, "B": 3}
    assert RANDSTAINNA.describe(templates)["patches"] == {"A": 5, "B": 3}


def test_templates_are_normal_around_those_of_the_data_within_three_deviations():
    numbers = np.random.default_rng(0).random((4000, 7), np.float32)
    drawn = virtual_stains(numbers, ON, TEMPLATES)["lab"]
    np.testing.assert_allclose(drawn[:, 0].mean(0), TEMPLATES.means[0], atol=0.3)
    np.testing.assert_allclose(drawn[:, 0].std(0), TEMPLATES.means[1], rtol=0.05)
    np.testing.assert_allclose(drawn[:, 1].std(0), TEMPLATES.deviations[1], rtol=0.05)
    ends = virtual_stains(np.array([[0.0] * 7, [1.0] * 7], np.float32), ON, TEMPLATES)["lab"]
    np.testing.assert_allclose(ends[1, 0], TEMPLATES.means[0] + 3 * TEMPLATES.means[1], rtol=1e-3)
    strong = virtual_stains(
        np.zeros((1, 7), np.float32), RandStainSettings(share=1, strength=3), TEMPLATES
    )
    np.testing.assert_allclose(strong["lab"][0, 1], [12 - 18 + 7.2, 0.6, 0.5], rtol=1e-3)


def test_without_spread_all_take_the_mean_template():
    still = RandStainSettings(share=1, strength=0)
    drawn = virtual_stains(np.random.default_rng(0).random((9, 7), np.float32), still, TEMPLATES)
    np.testing.assert_allclose(drawn["lab"][:, 0], np.tile(TEMPLATES.means[0], (9, 1)), rtol=1e-6)


@pytest.mark.parametrize("space", ["lab", "hsv", "hed"])
def test_a_patch_takes_its_templates_statistics(space):
    settings = RandStainSettings(share=1, space=space, strength=0.5)
    references = {"randstainna": templates_of(Painted(), settings)}
    patches = torch.from_numpy(painted(USUAL, patches=4, side=64, seed=7))
    numbers = np.random.default_rng(1).random((4, 7), np.float32)
    whole = numbers_of("randstainna", numbers)
    more = {"references": references}
    light = by_device(patches, only("randstainna", settings), whole, **more)
    cut = by_cpu(patches, only("randstainna", settings), whole, **more)
    off = np.abs(cut - light)
    assert off.mean() < 0.4, "rounded"
    assert np.quantile(off, 0.999) < 2
    wanted = virtual_stains(numbers, settings, references["randstainna"])[space]
    for patch, own in zip(cut, wanted, strict=True):
        values = patch_to_space(patch, space)
        reach = {"lab": 4.0, "hsv": np.array([25, 0.1, 0.06]), "hed": 0.12}[space]
        # not exact: what no colour has is clipped
        assert (np.abs(values.mean(axis=(0, 1)) - own[0]) < reach).all()


def test_a_share_of_patches_is_changed():
    settings = RandStainSettings(share=0.5)
    rows = np.full((2, 7), 0.3, np.float32)
    rows[:, 6] = 0.4, 0.6
    patches = torch.from_numpy(painted(USUAL, patches=2, side=32))
    more = {"references": {"randstainna": TEMPLATES}}
    for form in (by_cpu, by_device):
        out = form(patches, only("randstainna", settings), numbers_of("randstainna", rows), **more)
        assert np.abs(out[0] - patches[0].numpy()).max() > 5
        np.testing.assert_allclose(out[1], patches[1].numpy(), atol=1e-3)


def test_a_patch_of_one_colour_is_not_made_noise():
    patches = torch.full((1, 32, 32, 3), 230, dtype=torch.uint8)
    patches[:, ::2] = 231
    rows = numbers_of("randstainna", np.full((1, 7), 0.5, np.float32))
    more = {"references": {"randstainna": TEMPLATES}}
    for form in (by_cpu, by_device):
        out = form(patches, only("randstainna", ON), rows, **more)
        assert np.ptp(out.astype(float), axis=(1, 2)).max() < 6
