"""The head: torchvision's names, shapes and first weights, with any number of convolutions and
channels."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models.detection.retinanet import RetinaNetHead

from midog.models.heads import make_head


def test_four_convolutions_are_torchvisions_to_the_last_weight() -> None:
    torch.manual_seed(3)
    ours = make_head(256, 3, 2)
    torch.manual_seed(3)
    theirs = RetinaNetHead(256, 3, 2, norm_layer=partial(nn.GroupNorm, 32))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(
        torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items()
    )


@pytest.mark.parametrize("convs", [1, 2, 4, 6])
@pytest.mark.parametrize("channels", [32, 64])
def test_any_number_of_convolutions(convs: int, channels: int) -> None:
    head = make_head(channels, 2, 3, convs)
    outputs = head([torch.rand(2, channels, 4, 5), torch.rand(2, channels, 2, 3)])
    places = 2 * (4 * 5 + 2 * 3)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "cls_logits": (2, places, 3),
        "bbox_regression": (2, places, 4),
    }
    for branch in (head.classification_head, head.regression_head):
        layers = [layer for layer in branch.conv.modules() if isinstance(layer, nn.Conv2d)]
        assert len(layers) == convs
        assert all(0.009 < layer.weight.std().item() < 0.011 for layer in layers), (
            "torchvision's first weights"
        )
        assert all(layer.bias is None for layer in layers)


def test_names_of_the_convolutions_are_torchvisions() -> None:
    names = set(make_head(64, 1, 2, 2).state_dict())
    assert names < set(make_head(64, 1, 2).state_dict())
    assert "classification_head.conv.1.0.weight" in names
