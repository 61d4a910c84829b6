"""The device a user names."""

from __future__ import annotations

import pytest
import torch

from midog.devices import copies_alone, machine_memory, pick_device
from midog.errors import DeviceError


def test_the_cpu_is_always_there_and_auto_finds_something():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_says_what_to_use(name):
    with pytest.raises(DeviceError, match="use"):
        pick_device(name)


def test_the_machine_has_memory():
    assert machine_memory() > 2**28


@pytest.mark.parametrize(("device", "alone"), [("cuda", True), ("mps", False), ("cpu", False)])
def test_only_copies_to_cuda_go_on_by_themselves(device, alone):
    assert copies_alone(torch.device(device)) == alone
