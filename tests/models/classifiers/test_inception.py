"""Inception-v3: torchvision's layers and logits, its widths, what is frozen, its auxiliary head."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch.nn import functional as F
from torchvision.models import inception_v3

from midog.models.build import count_parameters, without_first_weights
from midog.models.classifiers.inception import InceptionV3


def slim(**own):
    torch.manual_seed(0)
    return InceptionV3(2, sixteenths=1, **own)


@cache
def published():
    torch.manual_seed(0)
    return inception_v3(weights=None, init_weights=False, num_classes=3).eval()


def test_it_has_torchvisions_parameters_by_torchvisions_names():
    with torch.device("meta"):
        network, of_three = InceptionV3(1000), InceptionV3(3)
    assert count_parameters(network)[1] == 27_161_264  # as torchvision states them
    assert {name: value.shape for name, value in of_three.net.state_dict().items()} == {
        name: value.shape for name, value in published().state_dict().items()
    }


def test_with_torchvisions_weights_it_gives_torchvisions_logits():
    with without_first_weights():
        network = InceptionV3(3).eval()
    network.net.load_state_dict(published().state_dict())
    images = torch.rand(1, 3, 75, 75)
    with torch.inference_mode():
        assert torch.equal(network.logits(images), published()(images * 2 - 1))


def test_a_slim_one_has_the_share_of_channels_everywhere():
    whole = count_parameters(InceptionV3(2))[1]
    assert count_parameters(InceptionV3(2, sixteenths=3))[1] / whole == pytest.approx(
        0.0356, rel=0.01
    )
    shapes = {name: value.shape for name, value in slim().net.state_dict().items()}
    assert shapes["Mixed_7c.branch1x1.conv.weight"] == (20, 128, 1, 1)
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (2, 3, 3, 3)
    assert shapes["fc.weight"] == (2, 128)
    assert shapes["AuxLogits.fc.weight"] == (2, 48)


def test_the_auxiliary_head_adds_its_loss_in_training_alone():
    network, labels = slim().train(), torch.tensor([0, 1])
    losses = network(torch.rand(2, 3, 96, 96), labels)
    assert [*losses] == ["classification", "auxiliary"]
    assert float(losses["auxiliary"].detach()) == pytest.approx(0.3 * 0.6931, rel=0.05)
    losses["auxiliary"].backward()
    assert network.net.Conv2d_1a_3x3.conv.weight.grad.abs().sum() > 0
    assert [*network.eval()(torch.rand(2, 3, 96, 96), labels)] == ["classification"]


def test_the_auxiliary_head_of_a_large_patch_is_torchvisions():
    network = slim().train()
    head = network.net.AuxLogits
    maps = torch.rand(2, 48, 17, 17)
    features = head.conv1(head.conv0(F.avg_pool2d(maps, 5, 3)))
    torch.testing.assert_close(head(maps), head.fc(features.mean(dim=(2, 3))))


def test_what_is_before_the_first_layer_that_learns_keeps_weights_and_statistics():
    network = slim(freeze_until="Mixed_5b").train()
    before = {name: value.clone() for name, value in network.net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    sum(network(torch.rand(2, 3, 96, 96), torch.tensor([0, 1])).values()).backward()
    optimizer.step()
    moved = {
        name.split(".")[0]
        for name, value in network.net.state_dict().items()
        if not torch.equal(value, before[name])
    }
    still = {"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"}
    assert moved == {name.split(".")[0] for name in before} - still
    assert {"Mixed_5b", "Mixed_7c", "AuxLogits", "fc"} <= moved


def test_fixed_features_learn_the_last_layer_and_have_no_auxiliary_head():
    network = slim(freeze_until="fc", dropout=0.0).train()
    assert [name for name, p in network.named_parameters() if p.requires_grad] == [
        "net.fc.weight",
        "net.fc.bias",
    ]
    images, labels = torch.rand(2, 3, 75, 75), torch.tensor([0, 1])
    assert [*network(images, labels)] == ["classification"]
    assert torch.equal(network.logits(images), network.eval().logits(images))


def test_a_last_part_that_alone_learns_has_no_auxiliary_head():
    assert slim(freeze_until="Mixed_6e").net.AuxLogits is not None
    assert slim(freeze_until="Mixed_7a").net.AuxLogits is None
