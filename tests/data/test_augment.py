"""Augmentation: boxes follow their pixels, every patch alike, repeatable by draw."""

from __future__ import annotations

import pytest
import torch

from midog.config import AugmentConfig
from midog.data.augment import DRAWS, Target, augment, draw_numbers, to_float, turn_boxes, turn_image

OFF = AugmentConfig(flip=False, stain=0, brightness=0, blur=0)


def target(boxes, ignore=()) -> Target:
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Target(
        boxes=boxes,
        labels=torch.ones(len(boxes), dtype=torch.int64),
        ignore=torch.tensor(list(ignore), dtype=torch.float32).reshape(-1, 4),
    )


@pytest.mark.parametrize("turn", range(8))
def test_boxes_follow_their_pixels(turn):
    image = torch.zeros(3, 64, 64)
    image[:, 10:30, 5:12] = 1  # y 10..30, x 5..12
    x1, y1, x2, y2 = turn_boxes(torch.tensor([[5.0, 10.0, 12.0, 30.0]]), turn, 64)[0].int().tolist()
    turned = turn_image(image, turn)
    assert turned[:, y1:y2, x1:x2].min() == 1
    assert turned.sum() == image.sum() == 3 * (x2 - x1) * (y2 - y1)


def test_the_eight_turns_differ():
    image = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert len({tuple(turn_image(image, turn).flatten().tolist()) for turn in range(8)}) == 8


def test_flips_move_boxes_and_ignored_boxes_together():
    images = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    targets = [target([[5, 10, 12, 30]], [[5, 10, 12, 30]]) for _ in range(16)]
    _, moved = augment(images, targets, draw_numbers(0, 0, range(16)), OFF.model_copy(update={"flip": True}))
    assert all(torch.equal(each["boxes"], each["ignore"]) for each in moved)
    assert len({tuple(each["boxes"][0].tolist()) for each in moved}) > 3
    assert targets[0]["boxes"].tolist() == [[5, 10, 12, 30]], "the given targets stay as they were"


def test_without_any_augmentation_nothing_changes():
    images = torch.rand(2, 3, 64, 64)
    out, _ = augment(images, [target([]), target([])], draw_numbers(0, 0, [0, 1]), OFF)
    assert torch.equal(out, images)


@pytest.mark.parametrize("kind", ["stain", "brightness", "blur"])
def test_each_kind_changes_every_patch_it_is_to_change_and_stays_in_range(kind):
    images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    targets = [target([[1, 1, 5, 5]] if i % 2 else []) for i in range(8)]
    out, _ = augment(images, targets, draw_numbers(0, 0, range(8)), OFF.model_copy(update={kind: 1.0}))
    assert out.min() >= 0
    assert out.max() <= 1
    assert ((out - images).abs().amax(dim=(1, 2, 3)) > 0.01).all(), "with figures and without alike"


def test_a_patch_is_augmented_by_its_draw_whatever_batch_it_is_in():
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    targets = [target([[1, 1, 20, 20]]) for _ in range(4)]
    config = AugmentConfig()
    whole, boxes = augment(images, targets, draw_numbers(5, 2, [7, 8, 9, 10]), config)
    part, part_boxes = augment(images[2:3], targets[2:3], draw_numbers(5, 2, [9]), config)
    torch.testing.assert_close(part[0], whole[2], rtol=0, atol=1e-6)
    assert torch.equal(part_boxes[0]["boxes"], boxes[2]["boxes"])


def test_numbers_belong_to_seed_epoch_and_index():
    numbers = draw_numbers(0, 1, [3, 4])
    assert numbers.shape == (2, DRAWS)
    assert torch.equal(draw_numbers(0, 1, [4])[0], numbers[1])
    assert not torch.equal(draw_numbers(0, 2, [3])[0], numbers[0])
    assert draw_numbers(0, 0, []).shape == (0, DRAWS)


def test_uint8_becomes_0_to_1():
    images = to_float(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))
    assert images.shape == (1, 3, 1, 1)
    assert images.flatten().tolist() == pytest.approx([0, 0.2, 1])
