"""Counted costs."""

from __future__ import annotations

import pytest
import torch

from midog.bench.network_cost import gflop_of, kernels_and_waits, peak_memory, tally
from midog.config.load import load_config
from midog.models.build import build_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "gflop"), [("default", 104), ("reference", 260), ("fast", 43)])
def test_the_networks_cost_what_was_counted_for_them(name, gflop):
    config = load_config(name, ["model.weights=none"])
    counted = gflop_of(build_model(config, pretrained=False), config.sampling.patch_size)
    assert round(counted, -1) == round(gflop, -1)


def test_counting_leaves_the_network_where_it_is():
    network = build_model(load_config("small"), pretrained=False)
    gflop_of(network, 64)
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


def test_kernels_and_waits_among_events():
    events = [
        ("aten::conv2d", False),
        ("cudaLaunchKernel", False),
        ("sm90_xmma_fprop", True),
        ("Memcpy DtoH (Device -> Pinned)", True),
        ("Memset (Device)", True),
        ("vectorized_elementwise_kernel", True),
        ("cudaStreamSynchronize", False),
        ("cudaDeviceSynchronize", False),
    ]
    assert tally(events) == {"kernels": 2, "waits": 1}
    assert tally([]) == {"kernels": 0, "waits": 0}


def test_a_cpu_has_neither_kernels_nor_memory_of_its_own():
    assert kernels_and_waits(lambda: None, CPU) == {}
    assert peak_memory(CPU) == {}
