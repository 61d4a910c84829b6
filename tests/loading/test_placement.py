"""Where ROIs live: what is asked for, what fits, and never so that the numbers change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import ConfigError
from midog.loading.placement import bytes_of, choose_placement

CUDA = torch.device("cuda")


def config(*overrides: str) -> RunConfig:
    return load_config(None, overrides)


def placement(rois: list[Roi], settings: RunConfig, device: torch.device | None) -> str:
    return choose_placement(rois, settings.data, settings.machine, device)


def test_auto_keeps_rois_on_disk_with_a_cache_and_in_memory_without(phantom):
    rois = read_rois(phantom)
    assert placement(rois, config(), torch.device("cpu")) == "disk"
    assert placement(rois, config("data.cache=false"), None) == "memory"


def test_auto_uses_a_device_with_twice_the_room_and_never_for_rois_of_unknown_size(
    phantom, monkeypatch
):
    rois = read_rois(phantom)
    need = sum(3 * roi.width * roi.height for roi in rois)
    for free, where in ((2 * need + 1, "device"), (2 * need, "disk")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        assert placement(rois, config(), CUDA) == where
        assert placement(rois, config("machine.augment_on=cpu"), CUDA) == "disk"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**15, 10**15))
    assert placement([*rois, replace(rois[0], width=None)], config(), CUDA) == "disk"


def test_rois_that_are_resampled_are_counted_at_the_size_that_they_will_have(phantom):
    roi = replace(read_rois(phantom)[0], mpp=0.5)
    assert bytes_of([roi], 0.25) == 4 * 3 * roi.width * roi.height
    assert bytes_of([replace(roi, mpp=None)], 0.25) == 3 * roi.width * roi.height


def test_the_memory_of_a_cpu_is_no_device_of_its_own_where_its_threads_augment(phantom):
    rois, cpu = read_rois(phantom), torch.device("cpu")
    assert placement(rois, config("machine.residency=device"), cpu) == "memory"
    assert (
        placement(rois, config("machine.residency=device", "machine.augment_on=cpu"), None)
        == "memory"
    )
    assert (
        placement(rois, config("machine.residency=device", "machine.augment_on=device"), cpu)
        == "device"
    )


def test_rois_on_a_gpu_cannot_be_augmented_by_the_cpu(phantom):
    with pytest.raises(ConfigError, match="residency=memory or disk"):
        placement(
            read_rois(phantom), config("machine.residency=device", "machine.augment_on=cpu"), CUDA
        )


@pytest.mark.parametrize("residency", ["device", "memory", "disk"])
def test_what_is_asked_for_is_done(phantom, residency):
    assert (
        placement(read_rois(phantom), config(f"machine.residency={residency}"), CUDA) == residency
    )
