"""A training as far as it is built: its task, learner and run; and how a failure is explained."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from lightning_fabric import Fabric

from midog.config.schema import TrainSettings
from midog.devices import is_out_of_memory, op_that_varies
from midog.errors import DeviceError, MidogError
from midog.files import sweep_parts
from midog.training.best import restore_best
from midog.training.changes import adapt, differing, record_changes
from midog.training.checkpoint import Checkpoint, read_checkpoint, unusable
from midog.training.failures import device_failed, no_memory_to_learn, no_memory_to_load
from midog.training.identity import Identity, read_identity
from midog.training.interrupts import Interrupts
from midog.training.learner import Learner, make_learner, require_compiler
from midog.training.loop import fit, is_finished
from midog.training.resume import unmake_run, write_identity
from midog.training.runs import Run, locked
from midog.training.saver import Saver
from midog.training.tasks.task import StatefulTask, Task, TaskData
from midog.training.watch import Watch

logger = logging.getLogger(__name__)


class Session:
    """A training of this process.

    Args:
        identity: Settings, with the precision resolved, and data.
        data: What is trained on.
        fabric: Launched.
    """

    def __init__(self, identity: Identity, data: TaskData, fabric: Fabric) -> None:
        self.identity, self.data, self.fabric = identity, data, fabric
        self.settings, self.machine = identity.config.train, identity.config.machine
        self.task: Task[Any, Any] | None = None
        self.learner: Learner | None = None
        self._saver: Saver | None = None
        self._facts: dict[str, Any] = {}
        self._steps_before = 0

    def build(self, old: Run | None, interrupts: Interrupts, stack: ExitStack) -> None:
        """Load the data; build the learner, and bring it to the state of the run that is resumed.

        Args:
            old: The run; None: a new one.
            interrupts: Requests to stop.
            stack: The run is locked until it closes.
        """
        if old is not None and self.fabric.is_global_zero:
            stack.enter_context(locked(old.folder))  # the first process's lock is that of all
            sweep_parts(old.folder, alone=True)
        self.task = self.data.open(self.fabric.device)
        interrupts.check()
        checkpoint = read_checkpoint(old.checkpoint) if old is not None and old.resumes else None
        self.learner = build_learner(
            self.task, self.settings, self.fabric, checkpoint, compiled=self.machine.compile
        )
        if checkpoint is not None:
            restore_task(self.task, checkpoint)
        steps = self.task.steps_per_epoch(self.fabric.world_size)
        self._facts = {**self.identity.facts(), "steps": steps}
        self._steps_before = steps if checkpoint is None else checkpoint.state["facts"]["steps"]

    def reopen(self, run: Run, before: Identity) -> None:
        """Bring a run that is resumed, and the learner's progress, to the settings of now.

        Args:
            run: The run.
            before: Its settings until now.
        """
        assert self.task is not None
        assert self.learner is not None
        progress, settings = self.learner.progress, self.settings
        changed = differing(before, self.identity)
        if changed:
            steps = int(self._facts["steps"])
            adapt(progress, before.config.train, settings, self._steps_before, steps)
            progress.finished = is_finished(progress, settings)
        if not self.fabric.is_global_zero:
            return
        try:
            read_identity(run.folder)
        except MidogError as damage:
            logger.warning("%s; it is written anew from last.ckpt", damage)
            write_identity(run.folder, self.identity)
        if changed:
            write_identity(run.folder, self.identity)
            record_changes(run.folder, progress, changed)
        restore_best(run.folder, progress)

    def fit(self, run: Run, interrupts: Interrupts) -> None:
        """Train to the end; errors as of `fit`."""
        assert self.task is not None
        assert self.learner is not None
        if self.fabric.is_global_zero:
            logger.info("%s", _opening(run, self.learner, self.settings.epochs))
        watch = Watch(self.learner, self.task, run.folder, self.settings, interrupts)
        state = self.task.state_dict if isinstance(self.task, StatefulTask) else dict
        self._saver = Saver(self.learner, run, self._facts, self.settings.save_minutes, state)
        fit(self.learner, self.task, self.settings, watch, self._saver, self.identity.fingerprint)

    def finish_saving(self) -> None:
        """Wait until what is being saved is written, from another thread."""
        if self._saver is not None:
            self._saver.join()

    def forget(self, run: Run) -> None:
        """Delete a new run whose settings can never run: it failed before its first update."""
        if (
            self.fabric.is_global_zero
            and self.learner is not None
            and not self.learner.progress.step
        ):
            unmake_run(run)

    def no_memory(self) -> DeviceError:
        """The error of a training that ran out of memory, before or while it learned."""
        if self.task is None or self.learner is None:
            return no_memory_to_load(self.fabric.device)
        return no_memory_to_learn(self.task, self.learner, self.settings, self.machine.residency)


def build_learner(
    task: Task[Any, Any],
    settings: TrainSettings,
    fabric: Fabric,
    checkpoint: Checkpoint | None,
    *,
    compiled: bool,
) -> Learner:
    """Build network, optimizer and average; where the run resumes, bring them to its state."""
    torch.manual_seed(settings.seed)  # of the weights that are not pretrained
    network = task.build(pretrained=checkpoint is None)
    learner = make_learner(network, settings, fabric, checkpoint)
    if compiled:  # now that the average is copied from the network as built
        require_compiler(fabric.device)
        task.compile(learner.network)
        learner = replace(learner, compiled=True)
    return learner


def restore_task(task: Task[Any, Any], checkpoint: Checkpoint) -> None:
    """Bring a task to what it remembered; a checkpoint of before there was such a thing has none.

    Raises:
        CheckpointError: It does not fit the task's data.
    """
    state = checkpoint.state.get("task", {})
    if not isinstance(task, StatefulTask):
        return
    try:
        if not isinstance(state, dict):
            raise ValueError(f"its task is {type(state).__name__}, not a mapping")
        task.load_state_dict(state)
    except ValueError as error:
        raise unusable(checkpoint.path, f"does not fit these data: {error}") from None


def failure_of(error: BaseException, device: torch.device) -> DeviceError | None:
    """What a user can do about an error of a library, if it is one of memory or of the device.

    Returns:
        None for any other error. Where memory ran out, its words are to be replaced by those of
        `Session.no_memory`, which tries what fits once the failed step is released.
    """
    if is_out_of_memory(error):
        return DeviceError(f"{device} is out of memory")
    if (op := op_that_varies(error)) is not None:
        return DeviceError(
            f"train.deterministic is true, and {op} has no version on {device} that repeats",
            settings={"train.deterministic": False},
        )
    if isinstance(error, torch.AcceleratorError):
        return device_failed(device, error)
    return None


def _opening(run: Run, learner: Learner, epochs: int) -> str:
    if not run.resumes:
        return f"new run {run.folder}"
    progress = learner.progress
    batch = f", batch {progress.batch + 1}" if progress.batch else ""
    return f"resuming {run.folder} at epoch {progress.epoch + 1} of {epochs}{batch}"
