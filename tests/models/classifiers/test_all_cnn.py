"""The All-CNN: its layers and parameters, its start, and that it learns as it is set up here."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from midog.models.build import count_parameters
from midog.models.classifiers.all_cnn import AllCNN


def test_it_has_the_parameters_of_the_paper_and_those_that_are_stated():
    assert count_parameters(AllCNN(10, stages=2)) == (1_369_738, 1_369_738)
    assert count_parameters(AllCNN(2))[1] == 2_364_098


def test_its_layers_are_those_of_the_paper():
    network = AllCNN(10, stages=2, dropout=0.5, input_dropout=0.2)
    rows = [
        (layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    assert rows == [
        (3, 96, 3, 1), (96, 96, 3, 1), (96, 96, 3, 2),
        (96, 192, 3, 1), (192, 192, 3, 1), (192, 192, 3, 2),
        (192, 192, 3, 1), (192, 192, 1, 1), (192, 10, 1, 1),
    ]  # fmt: skip
    drops = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]
    assert drops == [0.2, 0.5, 0.5]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def test_a_map_is_halved_by_every_stage():
    network = AllCNN(2, width=4, stages=3)
    assert network.layers(torch.rand(1, 3, 96, 96)).shape == (1, 8, 12, 12)


def test_with_a_norm_convolutions_have_no_bias_and_each_has_its_own():
    network = AllCNN(2, width=4, norm=True)
    convolutions = [layer for layer in network.layers if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.layers if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == len(convolutions) == 11
    assert all(layer.bias is None for layer in convolutions)


def test_hes_start_keeps_the_size_of_what_passes_and_glorots_lets_it_fade():
    torch.manual_seed(0)
    images = torch.randn(4, 3, 48, 48) * 0.25 + 0.45
    size = {
        start: float(AllCNN(2, width=32, start=start).layers(images - 0.45).std().detach())
        for start in ("he", "glorot")
    }
    assert 0.1 < size["he"] < 1
    assert size["glorot"] < size["he"] / 5


@pytest.mark.parametrize(
    ("start", "lr", "decay", "learns"),
    [("he", 0.02, 1e-3, True), ("glorot", 0.02, 0.9, False)],
)
def test_it_learns_with_hes_start_and_a_small_decay_but_not_as_published(start, lr, decay, learns):
    torch.manual_seed(0)
    network = AllCNN(2, width=8, stages=2, start=start).train()
    optimizer = torch.optim.SGD(
        network.parameters(), lr, momentum=0.9, nesterov=True, weight_decay=decay
    )
    labels = torch.tensor([0, 1] * 8)
    stripes = (torch.arange(32) // 2 % 2).float()
    lying, standing = stripes[:, None].expand(32, 32), stripes[None].expand(32, 32)
    images = torch.stack([standing if label else lying for label in labels])[:, None] * 0.5
    images = (images + torch.rand(16, 3, 32, 32) * 0.5).clamp(0, 1)
    for _ in range(40):
        optimizer.zero_grad()
        loss = network(images, labels)["classification"]
        loss.backward()
        optimizer.step()
    assert (float(loss.detach()) < 0.1) is learns
    if not learns:
        assert float(loss.detach()) == pytest.approx(math.log(2), abs=1e-3)
