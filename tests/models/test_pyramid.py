"""Feature pyramids: levels from P3 up, over any backbone, each of whose parameters is used."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from midog.models.protocol import Backbone
from midog.models.pyramid import FeaturePyramid
from tests.models.networks import pyramid


class Pooled(Backbone):
    """Two maps of any widths: pyramids are not made for ResNets alone."""

    channels = (6, 10)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 8, 8), nn.Conv2d(6, 10, 2, 2)

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.first(images)
        return [fine, self.second(fine)]


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
def test_levels_start_at_stride_8_and_halve(levels: int) -> None:
    maps = pyramid("resnet18", levels)(torch.rand(2, 3, 128, 96))
    expected = [(2, 256, 16, 12), (2, 256, 8, 6), (2, 256, 4, 3), (2, 256, 2, 2), (2, 256, 1, 1)]
    assert [tuple(level.shape) for level in maps] == expected[:levels]


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
def test_every_parameter_is_used(levels: int) -> None:
    network = pyramid("resnet18", levels)
    sum(level.square().mean() for level in network(torch.rand(2, 3, 128, 128))).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_any_backbone_serves() -> None:
    maps = FeaturePyramid(Pooled(), 2, 32)(torch.rand(1, 3, 64, 96))
    assert [tuple(level.shape) for level in maps] == [(1, 32, 8, 12), (1, 32, 4, 6)]
    with pytest.raises(AssertionError):
        FeaturePyramid(Pooled(), 3)
