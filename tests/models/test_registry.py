"""Backbones and detectors by name: settings that are in range, words for each."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from midog.errors import ConfigError
from midog.models.registry import (
    BACKBONES,
    DETECTORS,
    ResNetSettings,
    RetinaNetSettings,
    build_backbone,
    build_detector,
)


@pytest.mark.parametrize(("name", "entry"), [*BACKBONES.items(), *DETECTORS.items()])
def test_every_entry_has_words_and_settings_that_name_it(name, entry):
    assert entry.about
    assert entry.settings(kind=name).kind == name


def test_the_network_sees_images_as_much_larger_as_the_patches_that_it_was_trained_on():
    assert RetinaNetSettings().magnification(512) == 1
    assert RetinaNetSettings(resize=800).magnification(512) == 800 / 512


@pytest.mark.parametrize("sizes", [(), ((40,), (40, 50)), ((),), ((-1,),)])
def test_anchor_sizes_are_positive_and_of_one_length(sizes):
    with pytest.raises(ValidationError, match="anchor_sizes"):
        RetinaNetSettings(anchor_sizes=sizes)


@pytest.mark.parametrize("registry", [BACKBONES, DETECTORS], ids=["backbone", "detector"])
def test_a_package_that_is_missing_is_named(registry, monkeypatch):
    for kind in ("resnet18", "retinanet"):
        if kind in registry:
            monkeypatch.setitem(registry, kind, replace(registry[kind], needs="no_such_package"))
    settings = RetinaNetSettings(backbone=ResNetSettings(kind="resnet18"))
    with pytest.raises(ConfigError, match="needs no_such_package, which is not installed"):
        build_detector(settings, 1, 1.0)


@pytest.mark.parametrize("maps", [1, 2, 3])
@pytest.mark.parametrize("kind", BACKBONES)
def test_every_backbone_returns_as_many_maps_as_are_wanted(kind, maps):
    body = build_backbone(BACKBONES[kind].settings(kind=kind), maps)
    strides = (8, 16, 32)[:maps]
    shapes = [tuple(level.shape) for level in body(torch.rand(1, 3, 64, 96))]
    assert shapes == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(body.channels, strides, strict=True)
    ]


def test_the_registry_needs_no_torch():
    code = "import sys, midog.models.registry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
