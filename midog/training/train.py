"""A training from its settings: choose the run, build its task and learner, fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from midog.config.schema import MachineSettings, RunConfig
from midog.data.roi import Roi
from midog.devices import is_out_of_memory, mixed_precision, pick_device, repeatable
from midog.training.changes import Changes
from midog.training.identity import Identity, stored_identity
from midog.training.interrupts import Interrupts
from midog.training.launch import Team
from midog.training.learner import make_fabric
from midog.training.ranks import on_first
from midog.training.resume import choose_run, make_run
from midog.training.runs import Run
from midog.training.session import Session, failure_of
from midog.training.tasks.registry import TASKS


def train(
    config: RunConfig,
    *,
    rois: Iterable[Roi] | None = None,
    name: str | None = None,
    runs: Path | str = "runs",
    fresh: bool = False,
    resume_with: Mapping[str, Any] | None = None,
) -> Path:
    """Train a model, or resume the newest unfinished run of equal settings and data.

    Args:
        config: Of the run.
        rois: What to train on, with a `split` each; None: what `config.data` names.
        name: Of the run; None: date and time.
        runs: Folder of runs.
        fresh: Start anew where a run could be resumed.
        resume_with: Settings by key path under which a run is resumed that was started with
            others, such as {"train.lr": 1e-5}: learning rate, precision, epochs, patience, batch
            size and accumulation. It keeps those of them that are not named.

    Returns:
        The run's folder, in which `best` is the model, for `Detector.load`.

    Raises:
        MidogError: DataError, ImageError, WeightsError, CheckpointError, DeviceError or
            TrainingError, in one line; EndedElsewhere where another process failed.
        Interrupted: After Ctrl-C or SIGTERM, a KeyboardInterrupt; everything is saved.
    """
    read, given = TASKS[config.task.kind].read, None if rois is None else list(rois)
    data, root, changes = read(config, given), Path(runs), Changes(resume_with or {})
    identity = Identity(config, data.fingerprint)
    old = choose_run(root, identity, name=name, fresh=fresh, changes=changes)
    before = None if old is None else stored_identity(old.folder)
    identity = settle(identity, before, changes)
    if changes:
        data = read(identity.config, given)
    machine = identity.config.machine
    fabric = make_fabric(machine)
    session = Session(identity, data, fabric)
    with Team(fabric, machine.devices, machine.num_nodes) as team:
        team.before_exit.append(session.finish_saving)
        try:
            return _train(session, fabric.broadcast(old), before, root, name)
        except (RuntimeError, MemoryError, OSError) as error:
            failed, memory = failure_of(error, fabric.device), is_out_of_memory(error)
            if failed is None:
                raise
            team.announce(error)
        # out here, where what the failed step held is released
        raise session.no_memory() if memory else failed


def describe(config: RunConfig) -> list[str]:
    """Return lines on data and network for `--dry-run`; errors as of `train`."""
    return TASKS[config.task.kind].read(config, None).describe()


def settle(identity: Identity, before: Identity | None, changes: Changes) -> Identity:
    """Return the identity of a training: `precision: auto` resolved, a run's own settings kept.

    Args:
        identity: Asked for.
        before: Of the run that is resumed; None: a new one.
        changes: Settings under which the run is resumed.
    """
    if before is not None and changes:
        identity = changes.applied(identity, before)
    config = identity.config
    machine = resolve(config.machine, None if before is None else before.config.machine)
    return replace(identity, config=config.model_copy(update={"machine": machine}))


def resolve(machine: MachineSettings, before: MachineSettings | None = None) -> MachineSettings:
    """Return the settings with `precision: auto` resolved.

    A run that is resumed keeps its own, a new one takes what the device computes best.
    """
    if machine.precision != "auto":
        return machine
    if before is not None:
        precision = before.precision
    else:
        precision = mixed_precision(pick_device(machine.device))
    return machine.model_copy(update={"precision": precision})


def _train(
    session: Session, old: Run | None, before: Identity | None, runs: Path, name: str | None
) -> Path:
    """Train in the run that is resumed, or in a new one."""
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts(quiet=not session.fabric.is_global_zero))
        # a resumed run sets its own
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.enter_context(repeatable(session.settings.deterministic))
        session.build(old, interrupts, stack)
        if old is not None and before is not None:
            session.reopen(old, before)
        # only now, when data and weights are known to be right, is a new folder made
        run = old or _new_run(session, runs, name, stack)
        try:
            session.fit(run, interrupts)
        except Exception:
            if old is None:
                session.forget(run)
            raise
        return run.folder


def _new_run(session: Session, runs: Path, name: str | None, stack: ExitStack) -> Run:
    identity = session.identity
    return on_first(session.fabric, lambda: make_run(runs, identity, name=name, stack=stack))
