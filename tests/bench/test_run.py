"""All stages as one tree; bad input before any work."""

from __future__ import annotations

import sys

import pytest
import torch

from midog.bench.run import STAGES, run_bench
from midog.config.load import load_config
from midog.errors import ConfigError, DeviceError
from tests.bench.small import SMALL

pytestmark = pytest.mark.usefixtures("hasty")
CONFIGS = {"small": load_config(None, [*SMALL, "model.weights=coco"])}


def run(stages, said=None, **more):
    return run_bench(stages, CONFIGS, rounds=1, roi=(700, 600), say=(said or []).append, **more)


def test_only_what_is_asked_for_is_in_the_tree():
    said: list[str] = []
    threads = torch.get_num_threads()
    tree = run(["sweep"], said, device="cpu", threads=threads + 1, detections=200)
    assert list(tree) == ["machine", "sweep"]
    assert tree["machine"]["threads"] == threads + 1
    assert torch.get_num_threads() == threads, "as it was"
    assert not any("drawing" in line for line in said), "a sweep needs no ROIs"


def test_missing_albumentations_are_said_before_anything_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"midog\[bench\]"):
        run(list(STAGES), said, device="cpu")
    assert said == []


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(DeviceError):
        run(["sweep"], device="cuda:99")
