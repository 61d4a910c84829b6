"""Backbones: which stages are built, which learn, and what stays still."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import ResNet, resnet18
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import BasicBlock

from midog.models.backbones import resnet10
from midog.models.registry import BACKBONES, build_backbone
from tests.models.networks import pyramid


@pytest.mark.parametrize(
    ("levels", "built"), [(1, {"layer2"}), (2, {"layer2", "layer3"}), (4, {"layer4"})]
)
def test_stages_above_the_last_level_are_not_built(levels: int, built: set[str]) -> None:
    names = {name for name, _ in pyramid("resnet18", levels).body.named_children()}
    assert built <= names
    assert ("layer4" in names) == (levels >= 3)


@pytest.mark.parametrize("name", BACKBONES)
def test_each_backbone_runs(name: str) -> None:
    entry = BACKBONES[name]
    if entry.needs:
        pytest.importorskip(entry.needs)
    body = build_backbone(entry.settings(kind=name), 2)
    assert [tuple(own.shape[2:]) for own in body(torch.rand(1, 3, 64, 64))] == [(8, 8), (4, 4)]


@pytest.mark.parametrize("unfrozen", range(6))
def test_the_same_parameters_learn_as_in_torchvision(unfrozen: int) -> None:
    theirs = _resnet_fpn_extractor(resnet18(), unfrozen, returned_layers=[2, 3, 4])
    ours = pyramid("resnet18", 3, unfrozen)
    assert {n for n, p in ours.named_parameters() if p.requires_grad} == {
        n for n, p in theirs.named_parameters() if p.requires_grad
    }


@pytest.mark.parametrize("unfrozen", range(6))
def test_frozen_statistics_keep_still_in_training(unfrozen: int) -> None:
    network = pyramid("resnet18", 3, unfrozen).eval().train()
    before = {
        name: value.clone()
        for name, value in network.state_dict().items()
        if "running_mean" in name
    }
    network(torch.rand(2, 3, 64, 64))
    moved = {
        n.split(".")[1]
        for n, value in network.state_dict().items()
        if n in before and (value != before[n]).any()
    }
    assert moved == set(["layer4", "layer3", "layer2", "layer1", "bn1"][:unfrozen])
    assert network.training


def test_eval_and_train_are_passed_on_to_what_learns() -> None:
    network = pyramid("resnet18", 3, 2)
    assert network.body.layer4.training
    assert not network.body.layer2.training
    assert not network.eval().body.layer4.training


def test_resnet10_is_torchvisions_of_one_block_a_stage() -> None:
    torch.manual_seed(3)
    theirs = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1).state_dict()
    torch.manual_seed(3)
    ours = resnet10().state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("width", [16, 32, 96])
def test_a_narrow_resnet10_is_one_of_other_widths(width: int) -> None:
    # the channels of every layer but the image's three and the one class scale with the width
    wide, narrow = resnet10().state_dict(), resnet10(width).state_dict()
    assert list(narrow) == list(wide)
    for name, value in wide.items():
        scaled = [side if side in (1, 3, 7) else side * width // 64 for side in value.shape]
        if name == "conv1.weight":
            scaled[1:] = [3, 7, 7]
        assert list(narrow[name].shape) == scaled, name
    network = resnet10(width).eval()
    assert network(torch.rand(1, 3, 64, 64)).shape == (1, 1)
    # as drawn for rectifiers: Kaiming's deviation by what a layer gives
    weight = network.layer4[0].conv2.weight
    expected = (2 / (8 * width * 9)) ** 0.5
    assert abs(weight.std().item() / expected - 1) < 0.05
