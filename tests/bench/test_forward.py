"""The forward benchmark."""

from __future__ import annotations

import pytest
import torch

from midog.bench.forward import best_precision, forward_stage
from midog.devices import has_bf16

CPU = torch.device("cpu")


@pytest.mark.usefixtures("hasty")
def test_each_config_is_set_against_torchvision_as_shipped(plan):
    found = forward_stage(plan)
    assert found.what.startswith("small: forward, 1 x 128 px")
    assert found.ratio == pytest.approx(found.ours / found.plain)
    precision = best_precision(CPU, "auto")
    rate = plan.machine.convolution_gflop_s[precision]
    assert found.limit_share == pytest.approx(found.ours * found.detail["gflop"] / rate)
    assert found.detail["plain"]["gflop"] > found.detail["gflop"]


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


def test_auto_takes_bfloat16_where_it_is_had():
    assert best_precision(CPU, "auto") == ("bfloat16" if has_bf16(CPU) else "float32")
