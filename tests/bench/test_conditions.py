"""The conditions of a benchmark: its configs, limits, ROIs, and that they are undone."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from midog.bench.conditions import prepared
from midog.bench.options import BenchOptions
from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.errors import DeviceError
from tests.bench.small import SMALL

CONFIGS = {"small": load_config(None, [*SMALL, "model.weights=coco"])}


def test_the_first_config_is_the_one_that_counts(conditions):
    assert conditions.config is conditions.configs["small"]


def test_the_limit_of_convolutions_is_their_rate_over_the_work(conditions):
    assert conditions.convolution_limit("bfloat16", 50.0) == ("convolutions in bfloat16", 4.0)


def test_settings_are_laid_over_a_config_and_checked():
    changed = RunConfig().with_values(machine={"workers": 7}, model={"weights": "none"})
    assert (changed.machine.workers, changed.model.weights) == (7, "none")
    assert changed.sampling == RunConfig().sampling
    with pytest.raises(ValidationError):
        RunConfig().with_values(machine={"workers": -1})


@pytest.mark.usefixtures("hasty")
def test_rois_are_drawn_if_a_stage_needs_them_and_all_is_undone():
    said: list[str] = []
    threads = torch.get_num_threads()
    options = BenchOptions(device="cpu", threads=threads + 1, roi=(700, 600))
    for with_rois, count in ((False, 0), (True, 3)):
        with prepared(CONFIGS, options, with_rois=with_rois, say=said.append) as conditions:
            assert len(conditions.rois) == count
            assert conditions.threads == torch.get_num_threads() == threads + 1
            assert conditions.config.model.weights == "none"
            assert (conditions.batch, conditions.machine.threads) == (1, threads + 1)
        assert torch.get_num_threads() == threads
        assert not conditions.folder.exists()
    assert said.count("drawing ROIs of 700x600 px") == 1


def test_a_device_that_does_not_exist_is_an_error():
    with (
        pytest.raises(DeviceError),
        prepared(CONFIGS, BenchOptions(device="cuda:99"), with_rois=False, say=print),
    ):
        pass
