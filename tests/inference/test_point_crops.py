"""Crops around points: which px is in the middle, at the image's mpp and another."""

from __future__ import annotations

import numpy as np
import pytest

from midog.images.image import as_image
from midog.inference.point_crops import point_crops
from midog.mpp import Mpp

YS, XS = np.mgrid[:200, :250]
IMAGE = as_image(np.stack([XS, YS, XS * 0], 2).astype(np.uint8), 0.25)
CENTRES = np.array([(100.0, 50.0), (0.0, 3.0), (249.0, 199.0)])


@pytest.mark.parametrize("border", ["mirrored", "white"])
def test_a_point_is_in_the_middle_of_its_crop(border: str) -> None:
    cut = point_crops(IMAGE, Mpp.of(0.25), CENTRES, side=16, border=border, model_mpp=0.25)
    out = np.empty((16, 16, 3), np.uint8)
    for number, (x, y) in enumerate(CENTRES):
        cut(number, out)
        assert out[8, 8, :2].tolist() == [x, y]
    cut(1, out)
    assert out[8, 0, 0] == (8 if border == "mirrored" else 255)


def test_a_crop_has_the_models_mpp() -> None:
    cut = point_crops(IMAGE, Mpp.of(0.25), CENTRES, side=16, border="white", model_mpp=0.5)
    out = np.empty((16, 16, 3), np.uint8)
    cut(0, out)
    steps = np.diff(out[8, :, 0].astype(int))
    assert set(steps.tolist()) == {2}, "a px of the crop is two of the image"
    assert abs(int(out[8, 8, 0]) - 100) <= 1
