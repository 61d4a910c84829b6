"""Frames: images shown as torchvision's transform shows them, and boxes there and back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from midog.models.frame import (
    IMAGENET_MEAN,
    IMAGENET_SD,
    Frame,
    magnify,
    pad_to_multiple,
    scale_boxes,
)

sides = st.integers(1, 100)


def drawn(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("side", "shown"), [(64, 64), (64, 100), (100, 100), (96, 80)])
def test_images_are_shown_as_torchvision_shows_them(side: int, shown: int) -> None:
    theirs = GeneralizedRCNNTransform(shown, shown, list(IMAGENET_MEAN), list(IMAGENET_SD))
    images = drawn(2, 3, side, side)
    expected = theirs(list(images))[0].tensors
    torch.testing.assert_close(Frame(shown / side)(images).images, expected, rtol=1e-5, atol=1e-5)


@given(sides, sides, st.sampled_from([1.0, 0.5, 1.5, 1.5625]), st.sampled_from([8, 32]))
def test_sides_are_padded_to_the_multiple(h: int, w: int, factor: float, multiple: int) -> None:
    h, w = h + 1, w + 1
    framed = Frame(factor, multiple)(torch.zeros(1, 3, h, w))
    assert framed.size == (h, w)
    for padded, shown, given_side in zip(
        framed.images.shape[2:], framed.shown, (h, w), strict=True
    ):
        assert padded % multiple == 0
        assert shown <= padded < shown + multiple
        assert shown == int(given_side * factor)


def test_padding_is_the_mean_colour_at_the_right_and_the_bottom() -> None:
    padded = pad_to_multiple(torch.ones(1, 3, 3, 5), 4)
    assert padded.shape == (1, 3, 4, 8)
    assert (padded[..., :3, :5] == 1).all()
    assert padded.sum() == 3 * 3 * 5


def test_nothing_is_copied_where_nothing_is_to_be_done() -> None:
    images = torch.ones(1, 3, 32, 64)
    assert magnify(images, 1) is images
    assert pad_to_multiple(images, 32) is images


def test_tiles_of_any_size_are_magnified_alike() -> None:
    frame = Frame(1.5)
    assert frame(torch.zeros(1, 3, 128, 64)).shown == (192, 96)


def test_boxes_come_back_where_they_were_and_are_clipped_to_the_image() -> None:
    framed = Frame(1.25)(torch.zeros(1, 3, 64, 100))
    boxes = torch.tensor([[[8.0, 8, 56, 60], [90, -4, 120, 70]]])
    inside = framed.boxes_in(boxes)
    assert inside.tolist() == [[[10, 10, 70, 75], [112.5, -5, 150, 87.5]]]
    assert framed.boxes_out(inside).tolist() == [[[8, 8, 56, 60], [90, 0, 100, 64]]]


def test_points_come_back_by_the_factor_of_each_axis() -> None:
    framed = Frame(1.5)(torch.zeros(1, 3, 65, 99))  # shown as 97 x 148: other factors than 1.5
    assert framed.shown == (97, 148)
    points = framed.points_out(torch.tensor([[148.0, 97.0], [74.0, 48.5]]))
    torch.testing.assert_close(points, torch.tensor([[99.0, 65.0], [49.5, 32.5]]))


def test_boxes_are_scaled_by_axis_and_left_alone_where_nothing_is_to_be_done() -> None:
    boxes = torch.tensor([[[1.0, 2, 3, 4]]])
    assert scale_boxes(boxes, 2, 0.5).tolist() == [[[2, 1, 6, 2]]]
    assert scale_boxes(boxes, 1, 1) is boxes


def test_a_frame_has_no_weights_and_moves_with_its_network() -> None:
    frame = Frame()
    assert frame.state_dict() == {}
    assert list(frame.parameters()) == []
    assert frame.to("meta").mean.device.type == "meta"
