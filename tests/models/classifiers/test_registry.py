"""Classifiers of patches by name: every one can be built, none needs torch to be listed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from midog.config.load import load_config
from midog.errors import ConfigError
from midog.models.backbone_registry import BACKBONES
from midog.models.build import count_parameters
from midog.models.classifiers.registry import CLASSIFIERS, build_patch_network, packages_of


@pytest.mark.parametrize(("name", "entry"), CLASSIFIERS.items())
def test_every_entry_has_words_and_settings_that_name_it(name, entry):
    assert entry.about
    assert entry.settings(kind=name).kind == name


def test_every_backbone_is_a_classifier_too():
    assert BACKBONES.keys() <= CLASSIFIERS.keys()
    for name, backbone in BACKBONES.items():
        assert issubclass(CLASSIFIERS[name].settings, backbone.settings)


def test_a_resnet_of_two_classes_has_torchvisions_parameters_and_its_last_layer():
    settings = CLASSIFIERS["resnet18"].settings(kind="resnet18")
    assert count_parameters(build_patch_network(settings, 2))[1] == 11_689_512 - 513_000 + 1026


def test_frozen_stages_and_dropout_are_settings_of_a_resnet():
    settings = CLASSIFIERS["resnet10"].settings(
        kind="resnet10", width=8, unfrozen_layers=1, dropout=0.5
    )
    network = build_patch_network(settings, 2).train()
    learning = {name.split(".")[1] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"layer4", "weight", "bias"}
    images = torch.rand(2, 3, 64, 64)
    assert not torch.equal(network.logits(images), network.logits(images))
    network.eval()
    assert torch.equal(network.logits(images), network.logits(images))


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(
        CLASSIFIERS, "all_cnn", replace(CLASSIFIERS["all_cnn"], needs="no_such_package")
    )
    with pytest.raises(ConfigError, match="all_cnn needs no_such_package, which is not installed"):
        build_patch_network(CLASSIFIERS["all_cnn"].settings(kind="all_cnn"), 2)


def test_the_registry_needs_no_torch():
    code = "import sys, midog.models.classifiers.registry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("network", "needs"),
    [
        ("all_cnn", set()),
        ("{kind: timm, name: mobilenetv3_small_050}", {"timm"}),
        ("{kind: two_towers, tower: {kind: timm, name: mobilenetv3_small_050}}", {"timm"}),
        ("{kind: two_towers, tower: resnet18}", set()),
    ],
)
def test_the_packages_of_a_network_are_those_of_its_towers_too(network, needs):
    config = load_config(None, ["task.kind=patches", f"task.network={network}"])
    assert packages_of(config.task.network) == needs
