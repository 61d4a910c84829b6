"""The watch sums the losses, ends a training that has gone wrong, and hears requests to stop."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from midog.config.schema import TrainSettings
from midog.errors import TrainingError
from midog.training.interrupts import Interrupted, Interrupts
from midog.training.watch import UPDATES_BETWEEN_CHECKS, Watch
from tests.training.line_task import LineTask, line_learner, watch_of


@pytest.fixture
def learner():
    return line_learner(TrainSettings())


def strict(learner, folder: Path, max_skipped: int = 0) -> Watch:
    settings = TrainSettings(max_skipped=max_skipped)
    return Watch(learner, LineTask(), folder, settings, Interrupts())


def note(watch, step: int, loss: float, norm: float = 1.0, *, last: bool = False) -> bool:
    watch.note_losses(step, {"error": torch.tensor(loss)})
    watch.note_norm(torch.tensor(norm))
    return watch.after_update(last=last)


def test_losses_are_summed_every_few_updates_and_at_the_end_of_an_epoch(learner, tmp_path):
    watch, sums = watch_of(learner, tmp_path), learner.progress.losses
    for step in range(UPDATES_BETWEEN_CHECKS - 1):
        assert not note(watch, step, 1.0), "nothing may be saved: losses are not in the progress"
    assert sums == {}
    assert note(watch, 15, 1.0)
    assert sums == {"error": UPDATES_BETWEEN_CHECKS}
    assert note(watch, 16, 0.5, last=True)
    assert sums == {"error": UPDATES_BETWEEN_CHECKS + 0.5}


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (1.0, float("inf"))])
def test_a_loss_or_gradient_that_is_not_finite_names_the_batch_and_its_locations(
    learner, tmp_path, loss, norm
):
    watch = strict(learner, tmp_path)
    note(watch, 0, 1.0)
    with pytest.raises(TrainingError, match=r"not finite in epoch 1, batch 2.*nonfinite\.json"):
        note(watch, 1, loss, norm, last=True)
    record = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (record["epoch"], record["batch"]) == (1, 2)
    assert record["patches"] == [{"epoch": 0, "step": 1, "rank": 0}]


def test_skipped_updates_are_counted_logged_and_leave_the_mean_loss_alone(
    learner, tmp_path, caplog
):
    watch, progress = strict(learner, tmp_path, 2), learner.progress
    nan = float("nan")
    for step, loss in enumerate([1.0, nan, nan, 3.0]):
        note(watch, step, loss, loss)
    assert note(watch, 4, 2.0, last=True)
    assert (progress.skipped, progress.skipped_in_a_row, progress.lost) == (2, 0, 2)
    assert progress.losses == {"error": 6.0}
    assert "epoch 1: updates skipped, as their gradient is not finite: 2 of 5 (2 in all;" in (
        caplog.text
    )
    assert json.loads((tmp_path / "nonfinite.json").read_text())["batch"] == 2


def test_too_many_in_a_row_stop_the_run_also_across_checks(learner, tmp_path):
    watch = strict(learner, tmp_path, 2)
    nan = float("nan")
    assert not note(watch, 0, nan, nan, last=True), "not saved between skipped updates"
    assert not note(watch, 1, nan, nan, last=True)
    with pytest.raises(TrainingError, match=r"3 updates in a row.*resume_with=train\.lr=5e-05"):
        note(watch, 2, nan, nan, last=True)


def test_batches_of_one_update_are_skipped_together(learner, tmp_path):
    watch = Watch(
        learner, LineTask(), tmp_path, TrainSettings(accumulate=2, max_skipped=9), Interrupts()
    )
    for step, loss in enumerate([1.0, float("inf"), 1.0]):
        watch.note_losses(step, {"error": torch.tensor(loss)})
        if step:
            watch.note_norm(torch.tensor(loss))
    watch.after_update(last=True)
    progress = learner.progress
    assert (progress.skipped, progress.lost, progress.losses) == (1, 1, {"error": 2.0})


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
