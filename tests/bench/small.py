"""What tests of the benchmarks share: a network so small that a stage takes a second, and a
machine."""

from __future__ import annotations

import functools

import pytest

from midog.bench.machine import Machine, measure_machine

SMALL = [
    "data.cache=false",
    "model.backbone=resnet18",
    "model.weights=none",
    "model.anchor_sizes=[[40], [50]]",
    "model.pyramid_channels=32",
    "model.head_convs=1",
    "sampling.patch_size=128",
    "train.batch_size=4",
    "train.warmup_steps=1",
]
RATES = {"float32": 100.0, "bfloat16": 200.0}
MACHINE = Machine(
    cpu="a CPU",
    cores=2,
    threads=1,
    memory_gib=8.0,
    device="cpu",
    device_memory_gib=None,
    bf16=True,
    system="Linux",
    versions={"torch": "2"},
    copy_gb_s={"one thread": 10.0, "all threads": 10.0},
    matrix_gflop_s=RATES,
    convolution_gflop_s=RATES,
)


def make_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the machine but quickly."""
    monkeypatch.setattr(
        "midog.bench.conditions.measure_machine", functools.partial(measure_machine, seconds=0.005)
    )
