"""Classifiers on groups: probabilities that no turn changes, parameters, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from midog.models.build import count_parameters
from midog.models.classifiers.all_cnn import AllCNN
from midog.models.classifiers.group_layers import GroupConvolution
from midog.models.classifiers.group_nets import GroupCNN, GroupDenseNet, channels_of
from midog.models.classifiers.groups import GROUPS

P4, P4M = GROUPS["p4"], GROUPS["p4m"]


def cnn(group, **own):
    torch.manual_seed(0)
    return GroupCNN(2, group, width=12, stages=2, **own)


def densenet(group):
    torch.manual_seed(0)
    return GroupDenseNet(2, group, width=12, blocks=3)


NETS = pytest.mark.parametrize(
    "make",
    [cnn, lambda group: cnn(group, pooling="max"), densenet],
    ids=["cnn mean", "cnn max", "densenet"],
)


def pair(height, width):
    """A patch of noise and one that is darker to the left: their maps differ much."""
    images = torch.rand(2, 3, height, width, generator=torch.manual_seed(2))
    images[1] *= torch.linspace(0.1, 0.9, width)
    return images


def lively(network, images):
    """In eval mode, with the images' statistics, and logits about 0 that differ by 1."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 1.0
        network.train().logits(images)
        network.scores.weight[0].normal_()
        network.scores.weight[1] = -network.scores.weight[0]
        network.scores.weight /= network.eval().logits(images).std(dim=0)[:, None]
        network.scores.bias.sub_(network.logits(images).mean(dim=0))
    return network


def largest_change(network, group, images):
    """The most that a class's probability changes under an element of a group."""
    with torch.no_grad():
        still = network.logits(images).softmax(dim=1)
        return max(
            float((network.logits(group.move(images, element)).softmax(dim=1) - still).abs().max())
            for element in range(1, len(group))
        )


@NETS
@pytest.mark.parametrize("side", [(32, 32), (33, 33), (37, 34)], ids=str)
@pytest.mark.parametrize("group", [P4, P4M], ids=lambda group: group.name)
def test_no_element_of_its_group_changes_a_probability(make, group, side):
    images = pair(*side)
    network = lively(make(group), images)
    assert 0.01 < float(network.logits(images).detach().softmax(dim=1).std()) < 0.45
    assert largest_change(network, group, images) < 1e-5


@NETS
def test_mirrors_change_p4_and_turns_a_plain_net(make):
    images = pair(32, 32)
    assert largest_change(lively(make(P4), images), P4M, images) > 1e-3
    assert largest_change(lively(make(GROUPS["z2"]), images), P4, images) > 1e-3


@NETS
@pytest.mark.parametrize("group", [P4, P4M], ids=lambda group: group.name)
def test_with_one_rotation_left_out_of_its_tables_probabilities_change(make, group):
    images = pair(32, 32)
    for left_out in (1, len(group) - 1):
        network = make(group)
        for layer in network.modules():
            if isinstance(layer, GroupConvolution):
                layer.table[left_out] = layer.table[0]
        assert largest_change(lively(network, images), group, images) > 1e-3


def test_widths_are_those_of_as_many_parameters():
    assert [channels_of(26, group) for group in GROUPS.values()] == [26, 13, 9]
    counts = [count_parameters(GroupCNN(2, group))[1] for group in GROUPS.values()]
    assert counts == [2_365_922, 2_362_610, 2_369_836]
    assert all(abs(count / count_parameters(AllCNN(2))[1] - 1) < 0.01 for count in counts)


def test_the_densenet_has_the_parameters_that_are_stated():
    counts = {name: count_parameters(GroupDenseNet(2, group))[1] for name, group in GROUPS.items()}
    assert counts == {"z2": 130_600, "p4": 129_183, "p4m": 123_455}


def test_the_densenet_has_the_layers_of_the_paper():
    network = GroupDenseNet(2, P4M)
    kernels = [layer.kernel for layer in network.modules() if isinstance(layer, GroupConvolution)]
    assert sorted(kernels) == [1] * 4 + [3] * 6
    assert network.smallest == 65
    maps = network.first(torch.rand(1, 3, 96, 96))
    assert maps.shape == (1, 72, 94, 94)


def test_padding_lets_the_densenet_see_small_patches():
    network = GroupDenseNet(2, P4, width=8, padded=True).eval()
    assert network.smallest == 16
    images = pair(21, 21)
    assert largest_change(lively(network, images), P4, images) < 1e-5


@pytest.mark.parametrize("make", [cnn, densenet], ids=["cnn", "densenet"])
def test_it_learns_what_turns_do_not_change(make):
    network = make(P4M).train()
    optimizer = torch.optim.AdamW(network.parameters(), 0.03)
    labels = torch.tensor([0, 1] * 4)
    coarse = torch.rand(8, 3, 6, 6, generator=torch.manual_seed(3)).repeat_interleave(4, 2)
    fine = torch.rand(8, 3, 24, 24, generator=torch.manual_seed(4))
    images = torch.where(labels.view(8, 1, 1, 1) == 1, fine, coarse.repeat_interleave(4, 3))
    for _ in range(12):
        optimizer.zero_grad()
        loss = network(images, labels)["classification"]
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.2
    assert torch.equal(network.logits(torch.rot90(images, 1, (2, 3))).argmax(1), labels)
