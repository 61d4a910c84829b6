"""The mean of the last validations' weights: right values, its own BatchNorm, once an epoch."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from midog.config.schema import TrainSettings
from midog.errors import CheckpointError
from midog.training.checkpoint import read_checkpoint, take_state, write_checkpoint
from midog.training.learner import Learner
from midog.training.loop import fit
from midog.training.restore import restore
from midog.training.runs import Run
from midog.training.saver import Saver
from midog.training.weight_mean import average_last, is_among_last, refresh_norms
from tests.training.line_task import LineTask, line_learner, watch_of

LAST_TWO = TrainSettings(epochs=3, validate_every=1, average_last=2, ema_decay=0, best="last")


class Watched(LineTask):
    """Keeps the weights that it is asked to validate."""

    def __init__(self) -> None:
        super().__init__()
        self.validated: list[torch.Tensor] = []

    def validate(self, network, fabric, check):
        self.validated.append(network.weight.detach().clone())
        return super().validate(network, fabric, check)


def fit_line(settings: TrainSettings, folder: Path) -> tuple[Learner, list[torch.Tensor]]:
    task, learner = Watched(), line_learner(settings)
    saver = Saver(learner, Run(folder, resumes=False), {"steps": 3}, 5.0)
    fit(learner, task, settings, watch_of(learner, folder), saver, "d1")
    return learner, task.validated


def test_the_last_validations_are_of_the_mean_of_their_weights(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, one_by_one = fit_line(LAST_TWO.model_copy(update={"average_last": 1}), tmp_path / "a")
    learner, averaged = fit_line(LAST_TWO, tmp_path / "b")
    assert torch.equal(averaged[0], one_by_one[0]), "before the last ones nothing is averaged"
    assert torch.equal(averaged[1], one_by_one[1]), "the mean of one"
    torch.testing.assert_close(averaged[2], (one_by_one[1] + one_by_one[2]) / 2)
    assert torch.equal(learner.network.weight, one_by_one[2]), "the training is left alone"


@pytest.mark.parametrize(
    ("every", "last", "epochs"),
    [(1, 1, [9]), (1, 3, [7, 8, 9]), (4, 2, [7, 9]), (4, 99, [3, 7, 9])],
)
def test_which_validations_are_the_last(every, last, epochs):
    settings = TrainSettings(epochs=10, validate_every=every, average_last=last)
    due = [epoch for epoch in range(10) if (epoch + 1) % every == 0 or epoch == 9]
    assert [epoch for epoch in due if is_among_last(epoch, settings)] == epochs


def test_a_validation_that_starts_again_adds_nothing(tmp_path):
    learner = line_learner(LAST_TWO)
    learner.progress.epoch = 1
    average_last(learner, LineTask(), LAST_TWO)
    once = copy.deepcopy(learner.mean.state_dict())
    average_last(learner, LineTask(), LAST_TWO)
    for name, value in learner.mean.state_dict().items():
        assert torch.equal(value, once[name])


def test_a_run_that_is_trained_longer_begins_anew():
    learner, longer = line_learner(LAST_TWO), LAST_TWO.model_copy(update={"epochs": 9})
    for epoch, settings in ((1, LAST_TWO), (2, LAST_TWO), (3, longer)):
        learner.progress.epoch = epoch
        average_last(learner, LineTask(), settings)
    assert learner.progress.averaged_epoch == -1
    assert learner.validated is learner.network
    learner.progress.epoch = 7
    nn.init.constant_(learner.network.weight, 5.0)
    average_last(learner, LineTask(), longer)
    assert learner.validated.weight.tolist() == [[5.0, 5.0]]


def test_a_checkpoint_holds_the_mean_to_the_bit(tmp_path):
    learner = line_learner(LAST_TWO)
    learner.progress.epoch = 1
    average_last(learner, LineTask(), LAST_TWO)
    nn.init.constant_(learner.network.weight, 0.3)
    facts = {"steps": 3}
    state = take_state(
        learner.progress, learner.network, learner.optimizer, None, facts, mean=learner.mean
    )
    write_checkpoint(tmp_path / "last.ckpt", state)
    other = line_learner(LAST_TWO)
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    progress = restore(checkpoint, other.network, other.optimizer, None, other.mean)
    assert progress.averaged_epoch == 1
    for name, value in learner.mean.state_dict().items():
        assert torch.equal(value, other.mean.state_dict()[name])
    checkpoint.state["mean"] = None
    with pytest.raises(CheckpointError, match="its mean is NoneType"):
        restore(checkpoint, other.network, other.optimizer, None, other.mean)


class Normed(LineTask):
    """Batches go through a BatchNorm; a count of the training's batches is another buffer."""

    def build(self, *, pretrained: bool) -> nn.Module:
        network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1), nn.BatchNorm1d(1).eval())
        network.register_buffer("counted", torch.zeros(()))
        network[2].train = lambda mode=True: network[2]  # frozen
        return network

    def losses(self, network, batch):
        network.counted += 1
        return super().losses(network, batch)


def test_batch_norm_has_the_statistics_of_the_training_batches_and_no_other_buffer_moves():
    task, learner = Normed(), line_learner(TrainSettings())
    network = task.build(pretrained=False)
    network[0].running_mean.fill_(9.0)
    learner.progress.epoch = 4
    refresh_norms(learner, network, task)
    batches = list(task.batches(4, start=0, rank=0, world=1))
    means = torch.stack([batch.mean(dim=0) for batch in batches])
    variances = torch.stack([batch.var(dim=0) for batch in batches])
    torch.testing.assert_close(network[0].running_mean, means.mean(dim=0))
    torch.testing.assert_close(network[0].running_var, variances.mean(dim=0))
    assert network[0].momentum == 0.1
    assert network[2].running_mean.item() == 0
    assert network.counted.item() == 0
    assert not network.training


def test_without_the_setting_there_is_no_mean():
    learner = line_learner(TrainSettings())
    average_last(learner, LineTask(), TrainSettings())
    assert learner.mean is None
    assert math.isnan(learner.progress.best_value)
