"""The loop: per epoch train, validate, keep the best, report, save; an update fits on a screen."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from midog.config.schema import TrainSettings
from midog.training.best import keep_if_best
from midog.training.checkpoint import TrainingProgress
from midog.training.interrupts import Interrupted
from midog.training.learner import Learner
from midog.training.log import RunLog
from midog.training.optimise import Pace, fixed_shapes, is_due, learning_rate, step_weights
from midog.training.ranks import share_buffers
from midog.training.saver import Saver
from midog.training.tasks.task import StatefulTask, Task, Validation
from midog.training.watch import Watch
from midog.training.weight_mean import average_last


def fit(
    learner: Learner,
    task: Task[Any, Any],
    settings: TrainSettings,
    watch: Watch,
    saver: Saver,
    fingerprint: str,
) -> None:
    """Train from where `learner.progress` is to the last epoch, or until it stops early.

    Args:
        learner: Its weights and progress are moved on.
        task: What is learned.
        settings: The schedule.
        watch: Ends the training where something is wrong.
        saver: Saves at validations and at stops, and now and then; the best model and the log go
            into its run's folder.
        fingerprint: Of the data, for the best model's description.

    Raises:
        TrainingError: Gradients are not finite, update after update.
        Interrupted: A stop was requested; everything is saved, and no process leaves before.
    """
    progress, folder = learner.progress, saver.run.folder
    with saver:
        if progress.finished:  # it stopped before state.json said so
            return saver.save()
        log = open_log(learner, settings, folder)
        updates = count_updates(task, settings, learner.fabric.world_size)
        try:
            while not progress.finished:
                pace = train_epoch(learner, task, settings, watch, saver)
                extra, validation = {}, None
                if progress.epoch + 1 < settings.epochs:
                    extra = between_epochs(learner, task, watch)
                if is_due(progress.epoch, settings):
                    average_last(learner, task, settings)
                    validation = validate(learner, task, watch)
                    validation = keep_if_best(
                        learner, task, validation, settings, folder, fingerprint
                    )
                if log is not None:
                    last = max(progress.step - 1, 0) + progress.schedule_offset
                    rate = learning_rate(settings, last, updates)
                    log.report(progress, rate, pace.scalars() | extra, validation)
                end_epoch(progress, settings)
                if validation is not None:
                    saver.save()
                else:
                    saver.save_if_due(epoch_ended=True)
        except Interrupted:
            saver.save()
            saver.wait()
            learner.fabric.barrier()
            raise
        finally:
            if log is not None:
                log.close()


@fixed_shapes()
def train_epoch(
    learner: Learner, task: Task[Any, Any], settings: TrainSettings, watch: Watch, saver: Saver
) -> Pace:
    """Train the rest of the epoch; return how fast it went. Errors as of `fit`."""
    fabric, progress = learner.fabric, learner.progress
    rank, world, group = fabric.global_rank, fabric.world_size, settings.accumulate
    total = task.steps_per_epoch(world)
    updates = count_updates(task, settings, world)
    batches = task.batches(progress.epoch, start=progress.batch, rank=rank, world=world)
    pace = Pace()
    learner.wrapped.train()
    for step, batch in enumerate(pace.wait_for(batches), start=progress.batch):
        is_update = (step + 1) % group == 0 or step + 1 == total
        share = min(group, total - step // group * group)  # batches of this update
        watch.note_losses(step, add_gradients(learner, task, batch, share, is_update=is_update))
        pace.patches += len(batch) * world
        if is_update:
            watch.note_norm(step_weights(learner, settings, updates))
            progress.batch = step + 1
            if watch.after_update(last=step + 1 == total):
                saver.save_if_due()
    return pace


def count_updates(task: Task[Any, Any], settings: TrainSettings, world: int) -> int:
    """Return the number of updates of the whole run."""
    return -(-task.steps_per_epoch(world) // settings.accumulate) * settings.epochs


def add_gradients(
    learner: Learner, task: Task[Any, Any], batch: Any, share: int, *, is_update: bool
) -> dict[str, Tensor]:
    """Add the gradients of a batch, one of `share` in its update; return its losses, detached."""
    # processes exchange gradients once an update
    with learner.fabric.no_backward_sync(learner.wrapped, enabled=not is_update):
        losses = task.losses(learner.wrapped, batch)
        learner.fabric.backward(torch.as_tensor(sum(losses.values())) / share)
    return {name: value.detach() for name, value in losses.items()}


def end_epoch(progress: TrainingProgress, settings: TrainSettings) -> None:
    """Move on to the next epoch, or finish."""
    progress.epoch, progress.batch, progress.losses, progress.lost = progress.epoch + 1, 0, {}, 0
    progress.finished = is_finished(progress, settings)


def is_finished(progress: TrainingProgress, settings: TrainSettings) -> bool:
    """Return whether all epochs are trained, or no better score came for too long."""
    return progress.epoch >= settings.epochs or 0 < settings.patience <= progress.stale


def validate(learner: Learner, task: Task[Any, Any], watch: Watch) -> Validation:
    """Validate the averaged weights, on all processes together."""
    share_buffers(learner.fabric, learner.validated)
    with _eager(learner):
        validation = task.validate(learner.validated, learner.fabric, watch.check_stop)
    watch.check_stop_together()
    return validation


def between_epochs(learner: Learner, task: Task[Any, Any], watch: Watch) -> dict[str, float]:
    """Do what the task has to do after an epoch, on all processes together; return its numbers."""
    if not isinstance(task, StatefulTask):
        return {}
    epoch, network = learner.progress.epoch, learner.averaged
    with _eager(learner):
        numbers = task.between_epochs(epoch, network, learner.fabric, watch.check_stop)
    if numbers:
        watch.check_stop_together()
    return numbers


def _eager(learner: Learner) -> AbstractContextManager[Any]:
    """Nothing is compiled for whole images: batches are of many shapes there."""
    return torch.compiler.set_stance("force_eager") if learner.compiled else nullcontext()


def open_log(learner: Learner, settings: TrainSettings, folder: Path) -> RunLog | None:
    """Open the run's log on the first process."""
    if not learner.fabric.is_global_zero:
        return None
    progress = learner.progress
    return RunLog(folder, epochs=settings.epochs, epoch=progress.epoch, step=progress.step)
