"""Augmentation: every patch alike, repeatable by draw, and the batch at once as the patches one by
one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from midog.augment.draw import augmentation_of, draw_count, draw_numbers
from midog.augment.flip import turn_boxes, turns_of
from midog.augment.on_device import augment, to_float, turn_images
from midog.config.schema import AugmentSettings, augment_settings

OFF = augment_settings()(flip=False, stain=0, brightness=0, blur=0)
STAINS = torch.tensor(
    [[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]], dtype=torch.float64
)


def patches(count: int, side: int = 64, seed: int = 0) -> torch.Tensor:
    """uint8 (count, side, side, 3), with black and white in it."""
    images = torch.randint(
        0, 256, (count, side, side, 3), generator=torch.Generator().manual_seed(seed)
    )
    images[:, :4], images[:, 4:8] = 0, 255
    return images.to(torch.uint8)


def one_by_one(images: torch.Tensor, numbers: np.ndarray, config: AugmentSettings) -> torch.Tensor:
    """The augmentation as its description reads, a patch at a time, in float64: (B, 3, S, S)."""
    stains = STAINS / STAINS.norm(dim=1, keepdim=True)
    results = []
    for image, row in zip(
        images.permute(0, 3, 1, 2).double() / 255, torch.from_numpy(numbers).double(), strict=True
    ):
        if config.flip:
            turn = int(row[0] * 8)
            image = torch.rot90(image.flip(-1) if turn >= 4 else image, turn % 4, dims=(-2, -1))
        if config.stain or config.brightness:
            scales, gains = (
                1 + config.stain * (2 * row[1:4] - 1),
                1 + config.brightness * (2 * row[4:7] - 1),
            )
            mixing = torch.linalg.inv(stains) @ (scales[:, None] * stains)
            density = torch.einsum("chw,cd->dhw", -torch.log(image.clamp(min=1 / 255)), mixing)
            image = (torch.exp(-density) * gains[:, None, None]).clamp(0, 1)
        if row[7] < config.blur:
            taps = torch.exp(-0.5 * torch.arange(-2, 3, dtype=torch.float64) ** 2)
            kernel = (torch.outer(taps, taps) / taps.sum() ** 2).expand(3, 1, 5, 5)
            smooth = F.conv2d(F.pad(image[None], (2, 2, 2, 2), mode="reflect"), kernel, groups=3)[0]
            image = (image + (2 * row[8] - 1) * (smooth - image)).clamp(0, 1)
        results.append(image)
    return torch.stack(results)


@pytest.mark.parametrize(
    "config",
    [
        augment_settings()(blur=0.7),
        augment_settings()(stain=1, brightness=1, blur=1),
        augment_settings()(flip=False, stain=0),
        OFF.model_copy(update={"blur": 1.0}),
        OFF.model_copy(update={"flip": True}),
    ],
)
def test_a_batch_is_augmented_as_its_patches_one_by_one(config):
    images, numbers = patches(16), draw_numbers(3, 1, range(16))
    before = images.clone()
    result = augment(images, augmentation_of(numbers, config))
    assert result.dtype == torch.float32
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        result.double(), one_by_one(images, numbers, config), rtol=0, atol=3e-6
    )
    assert torch.equal(images, before), "the given patches stay as they were"


def test_boxes_follow_their_pixels():
    numbers = np.zeros((8, draw_count()), np.float32)
    numbers[:, 0] = np.arange(8) / 8
    config = OFF.model_copy(update={"flip": True})
    images = torch.zeros(8, 64, 64, 3, dtype=torch.uint8)
    images[:, 10:30, 5:12] = 1  # y 10..30, x 5..12
    boxes = turn_boxes(
        np.array([[5, 10, 12, 30]] * 8, np.float32), turns_of(numbers, True)["turns"], 64
    ).astype(int)
    turned = turn_images(images, augmentation_of(numbers, config).flips)
    for image, (x1, y1, x2, y2) in zip(turned, boxes.tolist(), strict=True):
        assert image[y1:y2, x1:x2].min() == 1
        assert image.sum() == 3 * (x2 - x1) * (y2 - y1)


def test_the_eight_turns_differ_and_draws_take_all_of_them():
    turns = turns_of(draw_numbers(0, 0, range(100)), True)["turns"]
    assert set(turns.tolist()) == set(range(8))
    numbers = np.zeros((8, draw_count()), np.float32)
    numbers[:, 0] = np.arange(8) / 8
    turned = turn_images(
        patches(1).expand(8, -1, -1, -1), augmentation_of(numbers, augment_settings()()).flips
    )
    assert len({image.numpy().tobytes() for image in turned}) == 8


def test_without_any_augmentation_nothing_changes():
    images = patches(2)
    out = augment(images, augmentation_of(draw_numbers(0, 0, [0, 1]), OFF))
    assert torch.equal(out, to_float(images))


@pytest.mark.parametrize("kind", ["stain", "brightness", "blur"])
def test_each_kind_changes_every_patch_it_is_to_change_and_stays_in_range(kind):
    images = patches(8)
    out = augment(
        images, augmentation_of(draw_numbers(0, 0, range(8)), OFF.model_copy(update={kind: 1.0}))
    )
    assert out.min() >= 0
    assert out.max() <= 1
    assert ((out - to_float(images)).abs().amax(dim=(1, 2, 3)) > 0.01).all()


def test_a_patch_is_augmented_by_its_draw_whatever_batch_it_is_in():
    images, config = patches(4), augment_settings()(blur=1)
    whole = augment(images, augmentation_of(draw_numbers(5, 2, [7, 8, 9, 10]), config))
    part = augment(images[2:3], augmentation_of(draw_numbers(5, 2, [9]), config))
    torch.testing.assert_close(part[0], whole[2], rtol=0, atol=1e-6)


def test_uint8_becomes_0_to_1():
    images = to_float(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))
    assert images.shape == (1, 3, 1, 1)
    assert images.flatten().tolist() == pytest.approx([0, 0.2, 1])
