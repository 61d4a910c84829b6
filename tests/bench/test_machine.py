"""The machine and its limits."""

from __future__ import annotations

import json

import pytest
import torch

from midog.bench.machine import copy_rates, measure_machine
from midog.devices import has_bf16

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def machine():
    return measure_machine(CPU, 1, seconds=0.005)


def test_every_precision_of_the_device_has_its_rates(machine):
    precisions = {"float32", "bfloat16"} if has_bf16(CPU) else {"float32"}
    assert set(machine.matrix_gflop_s) == set(machine.convolution_gflop_s) == precisions
    assert min(*machine.matrix_gflop_s.values(), *machine.convolution_gflop_s.values()) > 0


def test_it_is_json(machine):
    tree = json.loads(json.dumps(machine.to_dict(), allow_nan=False))
    assert tree["threads"] == 1
    assert tree["device"] == "cpu"
    assert tree["device_memory_gib"] is None
    assert tree["versions"]["torch"]
    assert tree["cpu"]
    assert set(tree["copy_gb_s"]) == {"one thread", "all threads"}


def test_any_number_of_threads_copies(machine):
    assert all(rate > 0 for rate in copy_rates(CPU, 3, 0.001, size=1000).values())


def test_measuring_leaves_the_precision_of_matrices_as_it_was():
    before = torch.backends.cuda.matmul.allow_tf32
    measure_machine(CPU, 1, seconds=0.001)
    assert torch.backends.cuda.matmul.allow_tf32 == before
