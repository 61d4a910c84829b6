"""The watch sums the losses, ends a training that has gone wrong, and hears requests to stop."""

from __future__ import annotations

import json
import signal

import pytest
import torch

from midog.config.schema import TrainSettings
from midog.errors import TrainingError
from midog.training.interrupts import Interrupted
from midog.training.watch import UPDATES_BETWEEN_CHECKS
from tests.training.line_task import line_learner, watch_of


@pytest.fixture
def learner():
    return line_learner(TrainSettings())


def note(watch, step: int, loss: float, norm: float = 1.0, *, last: bool = False) -> None:
    watch.note_losses(step, {"error": torch.tensor(loss)})
    watch.note_norm(torch.tensor(norm))
    watch.after_update(last=last)


def test_losses_are_summed_every_few_updates_and_at_the_end_of_an_epoch(learner, tmp_path):
    watch, sums = watch_of(learner, tmp_path), learner.progress.losses
    for step in range(UPDATES_BETWEEN_CHECKS - 1):
        note(watch, step, 1.0)
    assert sums == {}
    note(watch, 15, 1.0)
    assert sums == {"error": UPDATES_BETWEEN_CHECKS}
    note(watch, 16, 0.5, last=True)
    assert sums == {"error": UPDATES_BETWEEN_CHECKS + 0.5}


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_a_loss_or_gradient_that_is_not_finite_names_the_batch_and_its_locations(
    learner, tmp_path, loss, norm
):
    watch = watch_of(learner, tmp_path)
    note(watch, 0, 1.0)
    with pytest.raises(TrainingError, match=r"not finite in epoch 1, batch 2.*nonfinite\.json"):
        note(watch, 1, loss, norm, last=True)
    record = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (record["epoch"], record["batch"]) == (1, 2)
    assert record["patches"] == [{"epoch": 0, "step": 1, "rank": 0}]


def test_a_request_to_stop_is_heard_after_any_update_with_the_losses_taken_up(learner, tmp_path):
    watch = watch_of(learner, tmp_path)
    note(watch, 0, 1.0)
    watch.interrupts.signum = signal.SIGTERM
    with pytest.raises(Interrupted) as caught:
        note(watch, 1, 2.0)
    assert caught.value.signum == signal.SIGTERM
    assert learner.progress.losses == {"error": 3.0}
    for check in (watch.check_stop, watch.check_stop_together):
        with pytest.raises(Interrupted):
            check()
