"""Backbones and detectors by name: words and settings for each, none of which needs torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from midog.errors import ConfigError
from midog.models.registry import (
    BACKBONES,
    DETECTORS,
    ResNetSettings,
    RetinaNetSettings,
    build_detector,
)


@pytest.mark.parametrize(("name", "entry"), [*BACKBONES.items(), *DETECTORS.items()])
def test_every_entry_has_words_and_settings_that_name_it(name, entry):
    assert entry.about
    assert entry.settings(kind=name).kind == name


@pytest.mark.parametrize("registry", [BACKBONES, DETECTORS], ids=["backbone", "detector"])
def test_a_package_that_is_missing_is_named(registry, monkeypatch):
    for kind in ("resnet18", "retinanet"):
        if kind in registry:
            monkeypatch.setitem(registry, kind, replace(registry[kind], needs="no_such_package"))
    settings = RetinaNetSettings(backbone=ResNetSettings(kind="resnet18"))
    with pytest.raises(ConfigError, match="needs no_such_package, which is not installed"):
        build_detector(settings, 1, 1.0)


def test_the_registry_needs_no_torch():
    code = "import sys, midog.models.registry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
