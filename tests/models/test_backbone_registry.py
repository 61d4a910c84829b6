"""Backbones by name: as many maps as are wanted, at their strides; a missing package is named."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from midog.errors import ConfigError
from midog.models.backbone_registry import BACKBONES, ResNetSettings, build_backbone


@pytest.mark.parametrize("maps", [1, 2, 3])
@pytest.mark.parametrize("kind", BACKBONES)
def test_every_backbone_returns_as_many_maps_as_are_wanted(kind, maps):
    needs = BACKBONES[kind].needs
    if needs and find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    small = {"name": "resnet10t"} if kind == "timm" else {}
    body = build_backbone(BACKBONES[kind].settings(kind=kind, **small), maps)
    strides = (8, 16, 32)[:maps]
    shapes = [tuple(level.shape) for level in body(torch.rand(1, 3, 64, 96))]
    assert shapes == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(body.channels, strides, strict=True)
    ]


def test_a_package_that_is_missing_is_named(monkeypatch):
    entry = replace(BACKBONES["resnet18"], needs="no_such_package")
    monkeypatch.setitem(BACKBONES, "resnet18", entry)
    with pytest.raises(ConfigError, match="needs no_such_package, which is not installed"):
        build_backbone(ResNetSettings(kind="resnet18"), 1)
