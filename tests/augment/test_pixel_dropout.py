"""Pixel dropout: the share that is drawn, black in all channels, the rest as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.augment.pixel_dropout import dropouts
from tests.augment.both_forms import by_cpu, by_device, only
from tests.augment.test_stain_shift import numbers_of


@pytest.mark.parametrize("share", [0.5, 0.1, 0.002])
@pytest.mark.parametrize("form", [by_cpu, by_device])
def test_the_share_that_is_drawn_is_black_and_the_rest_untouched(share, form):
    images = torch.full((1, 256, 256, 3), 200, dtype=torch.uint8)
    numbers = numbers_of("pixel_dropout", np.array([[share / 0.5, 0.3, 0.7]], np.float32))
    patch = form(images, only("pixel_dropout", 0.5), numbers)[0].round()
    dropped = (patch == 0).all(axis=-1)
    assert np.array_equal(dropped, (patch == 0).any(axis=-1))
    assert (patch[~dropped] == 200).all()
    # of 65,536 px, within four deviations of the share
    assert abs(dropped.mean() - share) < 4 * np.sqrt(share * (1 - share) / dropped.size)


def test_none_is_dropped_of_a_share_of_0():
    assert dropouts(np.zeros((1, 3), np.float32), 0.5)["bounds"][0] < -3.45
    images = torch.full((1, 64, 64, 3), 200, dtype=torch.uint8)
    numbers = numbers_of("pixel_dropout", np.zeros((1, 3), np.float32))
    assert (by_cpu(images, only("pixel_dropout", 0.5), numbers) == 200).all()
