"""An update whose gradient is not finite moves nothing, whatever the optimizer."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from midog.config.load import load_config
from midog.config.schema import MachineSettings
from midog.training.checkpoint import take_state
from midog.training.learner import Learner, make_fabric, make_learner
from midog.training.optimise import step_weights
from midog.training.skip import Statistics

SETTINGS = ["train.warmup_steps=0", "train.lr=0.01"]


def learner(optimizer: str) -> Learner:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    config = load_config(None, [*SETTINGS, f"train.optimizer={optimizer}"])
    machine = MachineSettings(device="cpu", precision="32-true")
    return make_learner(network, config.train, make_fabric(machine))


def update(ours: Learner, images: torch.Tensor, optimizer: str) -> None:
    ours.wrapped(images).square().mean().backward()
    step_weights(
        ours, load_config(None, [*SETTINGS, f"train.optimizer={optimizer}"]).train, updates=100
    )


def moved(ours: Learner) -> list[torch.Tensor]:
    """All that an update moves, but for BatchNorm's count of batches, which changes nothing."""
    state = take_state(ours.progress, ours.network, ours.optimizer, None, {})
    weights = [value for name, value in state["model"].items() if "batches" not in name]
    return weights + [value for slots in state["optimizer"].values() for value in slots.values()]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nothing_moves_where_a_gradient_is_not_finite_and_all_goes_on_after_it(optimizer, bad):
    images = torch.rand(2, 3, 8, 8)
    ours, theirs = learner(optimizer), learner(optimizer)
    for which in range(4):
        update(ours, images, optimizer)
        update(theirs, images, optimizer)
        if which != 2:
            before = copy.deepcopy(moved(ours))
            update(ours, images * bad, optimizer)
            assert all(map(torch.equal, before, moved(ours)))
            ours.progress.step -= 1  # the schedule counts skipped updates
    assert all(map(torch.equal, moved(ours), moved(theirs)))
    assert all(value.isfinite().all() for value in ours.averaged.state_dict().values())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_first_update_may_be_the_skipped_one(optimizer):
    images = torch.rand(2, 3, 8, 8)
    ours, theirs = learner(optimizer), learner(optimizer)
    update(ours, images * float("nan"), optimizer)
    ours.progress.step = 0
    for each in (ours, theirs):
        update(each, images, optimizer)
    assert all(map(torch.equal, moved(ours), moved(theirs)))


def test_a_network_without_batch_norm_has_no_statistics():
    Statistics(nn.Conv2d(3, 4, 3)).settle(torch.tensor(True))
