"""The stage of the network on patches."""

from __future__ import annotations

import pytest
import torch

from midog.bench.forward import best_precision, forward_stage
from midog.devices import has_bf16

CPU = torch.device("cpu")


def test_each_config_has_its_rate_and_share_of_the_limit(conditions):
    measured = forward_stage(conditions)
    assert measured.what.startswith("small: forward, 1 x 128 px")
    assert measured.rate == pytest.approx(1000 / measured.detail["ms"])
    rate = conditions.machine.convolution_gflop_s[best_precision(CPU, "auto")]
    assert measured.limit_share == pytest.approx(measured.rate * measured.detail["gflop"] / rate)


@pytest.mark.parametrize(
    ("device", "asked", "name"),
    [
        ("cpu", "bf16", "bfloat16"),
        ("cpu", "bf16-mixed", "bfloat16"),
        ("cpu", "32-true", "float32"),
        ("cuda", "32-true", "tf32"),
    ],
)
def test_the_limit_is_that_of_the_precision(device, asked, name):
    assert best_precision(torch.device(device), asked) == name


def test_auto_takes_bfloat16_if_the_device_has_it():
    assert best_precision(CPU, "auto") == ("bfloat16" if has_bf16(CPU) else "float32")
