"""Patches gathered from one buffer are those cut from the ROIs, beyond their edges as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midog.loading.cutting import cut_patch
from midog.loading.locations import Location
from midog.loading.rois_on_device import copy_to_device

CPU = torch.device("cpu")


def rois(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for width, height in sizes]


def gathered(images: list[np.ndarray], locations: list[Location], side: int) -> np.ndarray:
    return copy_to_device(images, side, CPU).patches(locations).numpy()


def one_by_one(images: list[np.ndarray], locations: list[Location], side: int) -> np.ndarray:
    out = np.zeros((len(locations), side, side, 3), np.uint8)
    for place, patch in zip(locations, out, strict=True):
        cut_patch(images[place.roi], place.x, place.y, side, patch)
    return out


SIZES = [(100, 80), (20, 30), (33, 200), (64, 64), (1, 1)]


@given(
    places=st.lists(
        st.tuples(st.integers(0, 4), st.integers(-300, 300), st.integers(-300, 300)), min_size=1
    ),
    side=st.sampled_from([32, 64]),
)
def test_a_batch_is_what_is_cut_patch_by_patch(places, side):
    images, locations = rois(*SIZES), [Location(*place, 0) for place in places]
    np.testing.assert_array_equal(
        gathered(images, locations, side), one_by_one(images, locations, side)
    )


def test_patches_inside_need_no_white():
    images, locations = (
        rois((100, 80), (64, 64)),
        [Location(0, 0, 0, 0), Location(0, 36, 16, 0), Location(1, 0, 0, 0)],
    )
    copied = copy_to_device(images, 64, CPU)
    assert copied.corners(locations)[1]
    assert not copied.corners([*locations, Location(0, 37, 16, 0)])[1]
    np.testing.assert_array_equal(
        gathered(images, locations, 64), one_by_one(images, locations, 64)
    )


@pytest.mark.parametrize("sizes", [SIZES, SIZES[:1]])
def test_rois_lie_in_it_whole(sizes):
    images = rois(*sizes)
    copied = copy_to_device(images, 64, CPU)
    for image, lying in zip(images, copied.images(), strict=True):
        assert np.array_equal(lying.numpy(), image)
        assert lying.data_ptr() >= copied.bytes.data_ptr()
