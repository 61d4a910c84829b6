"""Patches gathered from one buffer are those cut from the ROIs, beyond their edges as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midog.loading.batches import cut
from midog.loading.locations import Location
from midog.loading.rois_on_device import to_resident

CPU = torch.device("cpu")


def rois(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for width, height in sizes]


def gathered(images: list[np.ndarray], spots: list[Location], side: int) -> np.ndarray:
    resident = to_resident(images, side, CPU)
    return resident.gather(*resident.places(spots)).numpy()


def one_by_one(images: list[np.ndarray], spots: list[Location], side: int) -> np.ndarray:
    out = np.zeros((len(spots), side, side, 3), np.uint8)
    for spot, patch in zip(spots, out, strict=True):
        cut(images[spot.roi], spot.x, spot.y, side, patch)
    return out


SIZES = [(100, 80), (20, 30), (33, 200), (64, 64), (1, 1)]


@given(
    places=st.lists(
        st.tuples(st.integers(0, 4), st.integers(-300, 300), st.integers(-300, 300)), min_size=1
    ),
    side=st.sampled_from([32, 64]),
)
def test_a_batch_is_what_is_cut_patch_by_patch(places, side):
    images, spots = rois(*SIZES), [Location(*place, 0) for place in places]
    np.testing.assert_array_equal(gathered(images, spots, side), one_by_one(images, spots, side))


def test_patches_inside_need_no_white():
    images, spots = (
        rois((100, 80), (64, 64)),
        [Location(0, 0, 0, 0), Location(0, 36, 16, 0), Location(1, 0, 0, 0)],
    )
    resident = to_resident(images, 64, CPU)
    assert resident.places(spots)[1]
    assert not resident.places([*spots, Location(0, 37, 16, 0)])[1]
    np.testing.assert_array_equal(gathered(images, spots, 64), one_by_one(images, spots, 64))


@pytest.mark.parametrize("sizes", [SIZES, SIZES[:1]])
def test_rois_lie_in_it_whole(sizes):
    images = rois(*sizes)
    resident = to_resident(images, 64, CPU)
    for image, lying in zip(images, resident.images(), strict=True):
        assert np.array_equal(lying.numpy(), image)
        assert lying.data_ptr() >= resident.bytes.data_ptr()
