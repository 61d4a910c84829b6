"""Blur: as many patches as the setting says, blurred or sharpened."""

from __future__ import annotations

import numpy as np

from midog.augment.blur import blur_amounts


def test_a_share_is_blurred_by_minus_1_to_1():
    numbers = np.array([[0.1, 0], [0.19, 0.5], [0.21, 1]], np.float32)
    parameters = blur_amounts(numbers, 0.2)
    assert parameters["blurred"].tolist() == [True, True, False]
    assert parameters["amounts"].tolist() == [-1, 0, 1]
    assert blur_amounts(numbers, 0.15)["blurred"].tolist() == [True, False, False]
