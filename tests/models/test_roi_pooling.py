"""Maps pooled for boxes: torchvision's own numbers, both ways, of any rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign

from midog.models.roi_pooling import _by_level, _from_all, pool


def drawn(levels: int) -> tuple[list[Tensor], Tensor]:
    """Maps of two images of 512 px and boxes of all sizes in them, some at the edge."""
    torch.manual_seed(0)
    maps = [torch.randn(2, 4, 64 // 2**level, 64 // 2**level) for level in range(levels)]
    corners = 500 * torch.rand(2, 30, 2)
    boxes = torch.cat([corners, corners + 500 * torch.rand(2, 30, 2).square()], dim=-1)
    boxes[:, 0] = torch.tensor([505.0, 100, 512, 130])
    boxes[:, 1] = 0
    return maps, boxes.clamp(max=512)


@pytest.mark.parametrize("levels", [1, 2, 3, 5])
def test_equals_torchvisions_pooling_from_p3_to_p5(levels: int) -> None:
    maps, boxes = drawn(levels)
    theirs = MultiScaleRoIAlign(["0", "1", "2"], 7, 2)
    named = {str(number): level for number, level in enumerate(maps)}
    expected = theirs(named, list(boxes), [(512, 512)] * 2)
    torch.testing.assert_close(pool(maps, boxes), expected)
    rows = torch.tensor([3, 1, 40])
    torch.testing.assert_close(pool(maps, boxes, rows), expected[rows])


def test_a_device_that_is_not_waited_for_pools_the_same() -> None:
    maps, boxes = drawn(3)
    images = torch.arange(2.0)[:, None, None].expand(-1, 30, 1)
    regions = torch.cat([images, boxes], dim=-1).flatten(0, 1)
    levels = torch.arange(60) % 3
    assert torch.equal(_by_level(maps, regions, levels), _from_all(maps, regions, levels))


def test_no_box_has_no_map() -> None:
    maps, boxes = drawn(2)
    assert pool(maps, boxes[:, :0]).shape == (0, 4, 7, 7)
