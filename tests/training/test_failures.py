"""What stops a run is explained with what to do; see test_train for whole runs that stop so."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from midog.config.load import load_config
from midog.training.failures import (
    first_bad_batch,
    fitting_batch,
    no_memory_to_learn,
    no_memory_to_load,
)
from tests.training.line_task import LineTask, line_learner


class Hungry(torch.nn.Module):
    """Has room for three patches."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.weight, self.room = torch.nn.Parameter(torch.ones(1)), room

    def forward(self, batch):
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.weight * batch


@pytest.mark.parametrize(("room", "fits"), [(100, 8), (3, 2), (1, 1), (0, 0)])
def test_the_batch_size_that_is_advised_was_tried(room, fits):
    fabric = Fabric(accelerator="cpu", devices=1)
    assert fitting_batch(LineTask(), Hungry(room), 16, fabric) == fits


@pytest.mark.parametrize(
    ("room", "fix"),
    [
        (3, "use train.batch_size=2 and train.accumulate=16, or machine.residency=disk"),
        (0, "patch_size"),
    ],
)
def test_the_advice_keeps_the_patches_of_an_update(room, fix):
    train = load_config(None, ["train.batch_size=16", "train.accumulate=2"]).train
    learner = replace(line_learner(train), network=Hungry(room))
    error = no_memory_to_learn(LineTask(), learner, train, "auto")
    assert fix in str(error)


def test_a_run_that_has_begun_to_learn_is_to_be_resumed_with_smaller_batches():
    train = load_config(None, ["train.batch_size=16", "train.accumulate=2"]).train
    learner = replace(line_learner(train), network=Hungry(3))
    learner.progress.step = 1
    error = no_memory_to_learn(LineTask(), learner, train, "disk")
    assert str(error).endswith("use resume_with=train.batch_size=2,train.accumulate=16")


def test_the_step_that_is_tried_leaves_the_weights_of_the_run_without_gradient():
    network = Hungry(3)
    fitting_batch(LineTask(), network, 16, Fabric(accelerator="cpu", devices=1))
    assert network.weight.grad is None, "one would start an exchange with the other processes"


def test_where_not_even_the_rois_fit_they_go_to_disk():
    assert "machine.residency=disk" in str(no_memory_to_load(torch.device("cpu")))


@pytest.mark.parametrize(
    ("losses", "norms", "accumulate", "first"),
    [
        (
            [1, 1, 0, 0],
            [1, 0, 0, 0],
            1,
            1,
        ),  # the gradient of batch 1 spoilt the weights: what follows is its doing
        ([1, 0, 0, 0], [1, 0, 0, 0], 1, 1),
        ([1, 1, 1, 1], [1, 1, 1, 0], 1, 3),
        ([1, 1, 1, 0], [1, 0], 2, 2),
        ([0, 1, 1, 1], [1, 1], 2, 0),
    ],
)
def test_the_batch_that_is_named_is_the_first_whose_loss_or_gradient_is_not_finite(
    losses, norms, accumulate, first
):
    assert first_bad_batch(losses, norms, accumulate) == first
