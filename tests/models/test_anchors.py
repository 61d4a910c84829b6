"""Anchors: torchvision's, made once per size and device, and few sizes kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from midog.models.anchors import KEPT, Anchors

SIZES = ((24.0, 32.0), (48.0, 64.0))
RATIOS = (0.5, 1.0)


def maps(height: int, width: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.zeros(1, 8, -(-height // s), -(-width // s), dtype=dtype) for s in (8, 16)]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160), (32, 64)])
def test_equal_torchvisions(height: int, width: int) -> None:
    every, levels = Anchors(SIZES, RATIOS).of(maps(height, width), (height, width))
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    assert torch.equal(every, AnchorGenerator(SIZES, (RATIOS,) * 2)(images, maps(height, width))[0])
    assert torch.equal(torch.cat(levels), every)
    assert [len(level) for level in levels] == [4 * height // s * (width // s) for s in (8, 16)]


def test_they_keep_their_place_in_half_precision() -> None:
    every, levels = Anchors(((24.0,), (48.0,)), (1.0,)).of(
        maps(1024, 1024, torch.bfloat16), (1024, 1024)
    )
    assert every.dtype == torch.float32
    assert levels[0][-1].tolist() == [1004.0, 1004.0, 1028.0, 1028.0]  # bfloat16 has no 1028


def test_they_are_made_once_per_size() -> None:
    anchors = Anchors(SIZES, RATIOS)
    first = anchors.of(maps(64, 64), (64, 64))[0]
    assert anchors.of(maps(64, 64), (64, 64))[0] is first
    assert anchors.of(maps(64, 96), (64, 96))[0] is not first
    assert torch.equal(
        anchors.of(maps(64, 64), (64, 64))[0], Anchors(SIZES, RATIOS).of(maps(64, 64), (64, 64))[0]
    )


def test_images_of_other_sides_with_maps_of_the_same_size_have_strides_of_their_own() -> None:
    anchors = Anchors(((24.0,),), (1.0,))
    one, other = (anchors.of([torch.zeros(1, 8, 1, 2)], (32, side))[0] for side in (64, 32))
    assert not torch.equal(one, other)


def test_many_sizes_take_no_more_memory_than_few_and_the_one_in_use_stays() -> None:
    anchors = Anchors(SIZES, RATIOS)
    used = anchors.of(maps(64, 64), (64, 64))[0]
    for side in range(96, 640, 32):
        anchors.of(maps(side, side), (side, side))
        assert anchors.of(maps(64, 64), (64, 64))[0] is used
    assert len(anchors.kept) == KEPT


def test_what_was_made_in_inference_mode_may_be_learned_from() -> None:
    anchors, weight = Anchors(SIZES, RATIOS), torch.ones(1, requires_grad=True)
    with torch.inference_mode():
        anchors.of(maps(64, 64), (64, 64))
    every, levels = anchors.of(maps(64, 64), (64, 64))
    ((every * weight).sum() + (levels[0] * weight).sum()).backward()


def test_they_are_no_part_of_the_state() -> None:
    anchors = Anchors(SIZES, RATIOS)
    anchors.of(maps(64, 64), (64, 64))
    assert anchors.state_dict() == {}
