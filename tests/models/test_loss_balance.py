"""By what loss sums are divided: numbers by hand, the running mean, the scale of validation."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from midog.models.loss_balance import LossBalance


def positives(*counts: int) -> Tensor:
    return torch.tensor(counts)


def test_an_image_is_divided_by_its_own_positives_and_at_least_by_one() -> None:
    balance = LossBalance("image")
    assert balance(positives(29, 0, 3)).tolist() == [29, 1, 3]
    assert balance.state_dict() == {}, "weights of torchvision's fit"


def test_a_batch_is_divided_by_its_positives_per_image() -> None:
    balance = LossBalance("batch")
    assert balance(positives(29, 0, 3, 0)).tolist() == [8, 8, 8, 8]
    assert balance(positives(0, 0, 0, 0)).tolist() == [0.25] * 4, "one positive in all"


def test_a_running_mean_leaves_a_tenth_to_each_batch() -> None:
    balance = LossBalance("running_mean")
    assert balance(positives(6, 2)).tolist() == [4, 4]
    assert balance(positives(0, 28)).tolist() == pytest.approx([5, 5], abs=1e-6)
    assert balance(positives(5, 5)).tolist() == pytest.approx([5, 5], abs=1e-6)
    assert balance(positives(0, 0)).tolist() == pytest.approx([4.55, 4.55], abs=1e-6)


@pytest.mark.parametrize("rule", ["batch", "running_mean"])
def test_validation_is_divided_by_the_running_mean_and_leaves_it(rule: str) -> None:
    balance = LossBalance(rule)
    balance(positives(6, 2))
    balance(positives(0, 28))
    balance.eval()
    for counts in (positives(0, 0, 0), positives(7)):
        assert balance(counts).tolist() == pytest.approx([5] * len(counts), abs=1e-6)


@pytest.mark.parametrize("rule", ["batch", "running_mean"])
def test_before_the_first_training_batch_validation_has_its_own_positives(rule: str) -> None:
    balance = LossBalance(rule).eval()
    assert balance(positives(4, 2)).tolist() == [3, 3]
    assert balance(positives(0, 0)).tolist() == [0.5, 0.5]


def test_the_state_takes_it_up_to_the_bit() -> None:
    one = LossBalance("running_mean")
    one(positives(7, 2, 4))
    other = LossBalance("running_mean")
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for counts in (positives(1, 5, 3), positives(0, 0, 1)):
        assert torch.equal(one(counts), other(counts))
