"""Settings of detectors: what is in range, and how much larger a network sees an image."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from midog.models.detector_settings import RetinaNetSettings


def test_the_network_sees_images_as_much_larger_as_the_patches_that_it_was_trained_on():
    assert RetinaNetSettings().magnification(512) == 1
    assert RetinaNetSettings(resize=800).magnification(512) == 800 / 512


@pytest.mark.parametrize("sizes", [(), ((40,), (40, 50)), ((),), ((-1,),)])
def test_anchor_sizes_are_positive_and_of_one_length(sizes):
    with pytest.raises(ValidationError, match="anchor_sizes"):
        RetinaNetSettings(anchor_sizes=sizes)
