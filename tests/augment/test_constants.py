"""Constants: made once for each device and arguments."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.constants import constant
from midog.augment.ops import OPS
from tests.augment.both_forms import by_device, colours, only, references_for

CPU = torch.device("cpu")


def test_it_is_made_once_for_its_arguments():
    made = []

    def ramp(count: int) -> np.ndarray:
        made.append(count)
        return np.arange(count)

    assert constant(ramp, CPU, 3).tolist() == [0, 1, 2]
    assert constant(ramp, CPU, 3) is constant(ramp, CPU, 3)
    assert constant(ramp, CPU, 4).tolist() == [0, 1, 2, 3]
    assert made == [3, 4]


def test_from_the_second_batch_on_no_op_makes_a_tensor_of_host_values(monkeypatch):
    """As that would wait for a GPU."""
    images = colours(2)
    rows = [(name, only(name), references_for(only(name))) for name in OPS]
    for _, settings, references in rows:
        by_device(images, settings, None, references)
    real = torch.tensor

    def refuse(values, **options):
        assert "device" not in options, "a copy in each batch"
        return real(values, **options)

    monkeypatch.setattr(torch, "tensor", refuse)
    for _, settings, references in rows:
        by_device(images, settings, None, references)
