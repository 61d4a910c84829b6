"""OpenCV's routines make of a patch what the device makes of it, to within a grey level."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
import torch

from midog.augment.draw import augmentation_of, draw_numbers
from midog.augment.on_cpu import (
    PatchAugmentation,
    Scratch,
    augment_patch,
    opencv_on_one_thread,
    patch_by_patch,
)
from midog.augment.on_device import augment, turn_images
from midog.config.schema import AugmentSettings, augment_settings
from midog.images.image import open_image

OFF = augment_settings()(flip=False, stain=0, brightness=0, blur=0)


def noise(count: int, side: int) -> torch.Tensor:
    images = torch.randint(
        0, 256, (count, side, side, 3), generator=torch.Generator().manual_seed(1)
    )
    images[:, :4], images[:, 4:8] = 0, 255
    return images.to(torch.uint8)


def by_opencv(images: torch.Tensor, config: AugmentSettings, numbers: np.ndarray) -> np.ndarray:
    scratch, out = Scratch(images.shape[1]), np.empty(images.shape, np.uint8)
    for step, patch, place in zip(
        patch_by_patch(augmentation_of(numbers, config), len(images)), images, out, strict=True
    ):
        augment_patch(scratch, step, patch.numpy(), place)
    return out


def by_device(images: torch.Tensor, config: AugmentSettings, numbers: np.ndarray) -> np.ndarray:
    """Grey levels, not rounded."""
    return (
        255 * augment(images, augmentation_of(numbers, config)).permute(0, 2, 3, 1).double().numpy()
    )


@pytest.mark.parametrize(
    "config",
    [
        augment_settings()(),
        augment_settings()(blur=1),
        augment_settings()(stain=1, brightness=1, blur=0.5),
        augment_settings()(flip=False, stain=0),
        OFF.model_copy(update={"blur": 1.0}),
        OFF,
    ],
)
@pytest.mark.parametrize("side", [64, 96, 160])
def test_patches_are_those_of_the_device_to_within_a_grey_level(config, side):
    images, numbers = noise(16, side), draw_numbers(0, 2, range(16))
    before = images.clone()
    result, expected = by_opencv(images, config, numbers), by_device(images, config, numbers)
    off = result - expected
    assert np.abs(off).max() <= 0.51, "rounded once, from the same number"
    assert np.abs(result - np.rint(expected)).max() <= 1
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    "config",
    [augment_settings()(blur=0), augment_settings()(blur=1), OFF.model_copy(update={"blur": 1.0})],
)
def test_rounding_leans_to_neither_side(config):
    images = torch.randint(0, 256, (16, 96, 96, 3), generator=torch.Generator().manual_seed(1)).to(
        torch.uint8
    )
    numbers = draw_numbers(0, 2, range(16))
    off = by_opencv(images, config, numbers) - by_device(images, config, numbers)
    assert abs(off.mean()) < 0.002


def test_real_tissue_is_that_of_the_device(composite):
    with open_image(composite / "images" / "001.tiff") as image:
        images = torch.from_numpy(
            np.stack([image.read(100 * i, 50 * i, 256, 256) for i in range(8)])
        )
    numbers = draw_numbers(0, 0, range(8))
    off = by_opencv(images, augment_settings()(), numbers) - by_device(
        images, augment_settings()(), numbers
    )
    assert np.abs(off).max() <= 0.51
    assert abs(off.mean()) < 0.005, "of a grey level"


def test_symmetries_are_exact():
    config = OFF.model_copy(update={"flip": True})
    images, numbers = noise(32, 64), draw_numbers(0, 0, range(32))
    expected = turn_images(images, augmentation_of(numbers, config).flips)
    assert np.array_equal(by_opencv(images, config, numbers), expected.numpy())


def test_a_patch_may_be_a_view_of_a_read_only_image():
    image = noise(1, 200)[0].numpy()
    image.flags.writeable = False
    whole = noise(1, 200)[0, 30:94, 50:114].contiguous()[None]
    scratch, out, numbers = Scratch(64), np.empty((64, 64, 3), np.uint8), draw_numbers(0, 0, [0])
    augment_patch(
        scratch,
        patch_by_patch(augmentation_of(numbers, augment_settings()()), 1)[0],
        image[30:94, 50:114],
        out,
    )
    assert np.array_equal(out, by_opencv(whole, augment_settings()(), numbers)[0])


def test_threads_do_not_share_their_room():
    scratch, seen = Scratch(64), []
    thread = threading.Thread(target=lambda: seen.append(scratch.light))
    thread.start()
    thread.join()
    assert not np.shares_memory(seen[0], scratch.light)


def test_opencv_gets_its_threads_back():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        with opencv_on_one_thread():
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_light_beyond_what_uint8_holds_is_white():
    affine = np.concatenate([np.eye(3), [[30], [0], [99]]], axis=1).astype(np.float32)
    patch, out = np.full((64, 64, 3), 100, np.uint8), np.empty((64, 64, 3), np.uint8)
    augment_patch(Scratch(64), PatchAugmentation([False] * 3, affine, 0.0), patch, out)
    assert out[0, 0].tolist() == [255, 100, 255]
