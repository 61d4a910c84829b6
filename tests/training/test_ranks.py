"""What processes do together, and that one process does alone."""

from __future__ import annotations

import pytest
from lightning_fabric import Fabric
from torch import nn

from midog.errors import WeightsError
from midog.training.ranks import gather, on_any, on_first, share_buffers


@pytest.fixture
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def test_the_result_of_the_first_process_is_that_of_all(fabric):
    assert on_first(fabric, lambda: 7) == 7


def test_an_error_of_the_first_process_is_raised_as_it_is(fabric):
    def fail() -> None:
        raise WeightsError("no weights", "find some")

    with pytest.raises(WeightsError, match="no weights; find some"):
        on_first(fabric, fail)


def test_one_process_has_its_own_values(fabric):
    assert gather(fabric, {"a": 1}) == [{"a": 1}]
    assert on_any(fabric, True)
    assert not on_any(fabric, False)
    share_buffers(fabric, nn.BatchNorm2d(3))
