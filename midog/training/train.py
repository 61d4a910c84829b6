"""A training from its settings: choose the run, build its task and learner, fit."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from midog.config.load import load_config
from midog.config.schema import MachineSettings, RunConfig, TrainSettings
from midog.data.roi import Roi
from midog.devices import has_bf16, pick_device
from midog.errors import DeviceError
from midog.training.checkpoint import read_checkpoint
from midog.training.failures import no_memory_to_learn, no_memory_to_load
from midog.training.interrupts import Interrupts
from midog.training.learner import Learner, make_fabric, make_learner, require_compiler
from midog.training.loop import fit
from midog.training.ranks import on_first
from midog.training.resume import Identity, choose_run, make_run
from midog.training.runs import Run, locked
from midog.training.tasks.registry import TASKS
from midog.training.tasks.task import Task
from midog.training.watch import Watch

logger = logging.getLogger(__name__)


def train(
    config: RunConfig,
    *,
    rois: Iterable[Roi] | None = None,
    name: str | None = None,
    runs: Path | str = "runs",
    fresh: bool = False,
) -> Path:
    """Train a model, or resume the newest unfinished run of equal settings and data.

    Args:
        config: Of the run.
        rois: What to train on, with a `split` each; None: what `config.data` names.
        name: Of the run; None: date and time.
        runs: Folder of runs.
        fresh: Start anew where a run could be resumed.

    Returns:
        The run's folder, in which `best` is the model, for `Detector.load`.

    Raises:
        MidogError: DataError, ImageError, WeightsError, CheckpointError, DeviceError or
            TrainingError, in one line.
        Interrupted: After Ctrl-C or SIGTERM, a KeyboardInterrupt; everything is saved.
    """
    data, root = TASKS[config.task.kind].read(config, rois), Path(runs)
    identity = Identity(config, data.fingerprint)
    old = choose_run(root, identity, name=name, fresh=fresh)
    config = config.model_copy(update={"machine": resolve(config.machine, old)})
    identity = Identity(config, data.fingerprint)
    fabric = make_fabric(config.machine)
    fabric.launch()
    old = fabric.broadcast(old)
    task, learner, out_of_memory = None, None, False
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        # a resumed run sets its own
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        if old is not None and fabric.is_global_zero:
            stack.enter_context(locked(old.folder))  # the first process's lock is that of all
        try:
            task = data.open(fabric.device)
            interrupts.check()
            learner = build_learner(
                task, config.train, fabric, old, compiled=config.machine.compile
            )
            # only now, when data and weights are known to be right, is a new folder made
            run = old or on_first(fabric, lambda: make_run(root, identity, name=name, stack=stack))
            if fabric.is_global_zero:
                logger.info("%s", _opening(run, learner, config.train.epochs))
            watch = Watch(learner, task, run.folder, config.train.accumulate, interrupts)
            fit(learner, task, config.train, watch, run, data.fingerprint)
        except torch.OutOfMemoryError:
            out_of_memory = True
    if out_of_memory:  # out here, where what the failed step held is released
        raise _no_memory(task, learner, config.train, config.machine)
    return run.folder


def describe(config: RunConfig) -> list[str]:
    """Return lines on data and network for `--dry-run`; errors as of `train`."""
    return TASKS[config.task.kind].read(config, None).describe()


def resolve(machine: MachineSettings, run: Run | None = None) -> MachineSettings:
    """Return the settings with `precision: auto` resolved.

    A run that is resumed keeps its own, a new one takes what the device computes best.
    """
    if machine.precision != "auto":
        return machine
    if run is not None:
        precision = load_config(run.folder / "config.yaml").machine.precision
    else:
        precision = "bf16-mixed" if has_bf16(pick_device(machine.device)) else "32-true"
    return machine.model_copy(update={"precision": precision})


def build_learner(
    task: Task[Any, Any],
    settings: TrainSettings,
    fabric: Fabric,
    run: Run | None,
    *,
    compiled: bool,
) -> Learner:
    """Build network, optimizer and average; where the run resumes, bring them to its state."""
    checkpoint = read_checkpoint(run.checkpoint) if run is not None and run.resumes else None
    torch.manual_seed(settings.seed)  # of the weights that are not pretrained
    network = task.build(pretrained=checkpoint is None)
    learner = make_learner(network, settings, fabric, checkpoint)
    if compiled:  # now that the average is copied from the network as built
        require_compiler(fabric.device)
        task.compile(learner.network)
        learner = replace(learner, compiled=True)
    return learner


def _no_memory(
    task: Task[Any, Any] | None,
    learner: Learner | None,
    settings: TrainSettings,
    machine: MachineSettings,
) -> DeviceError:
    """The error of a training that ran out of memory, before or while it learned."""
    if task is None or learner is None:
        return no_memory_to_load(pick_device(machine.device))
    device = learner.fabric.device
    return no_memory_to_learn(task, learner.network, settings, machine.residency, device)


def _opening(run: Run, learner: Learner, epochs: int) -> str:
    if not run.resumes:
        return f"new run {run.folder}"
    progress = learner.progress
    batch = f", batch {progress.batch + 1}" if progress.batch else ""
    return f"resuming {run.folder} at epoch {progress.epoch + 1} of {epochs}{batch}"
