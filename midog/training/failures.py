"""How a failed run is explained: a loss that is not finite, and memory that ran out."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from midog.config.schema import TrainSettings
from midog.devices import is_out_of_memory
from midog.errors import DeviceError, TrainingError
from midog.files import replace_text
from midog.json_text import to_json
from midog.training.learner import Learner
from midog.training.tasks.task import Task


@dataclass(frozen=True)
class BadBatch:
    """A batch whose loss or gradient is not finite.

    epoch, step: from 0. losses: by name.
    """

    epoch: int
    step: int
    losses: Mapping[str, float]

    @property
    def shown(self) -> dict[str, str]:
        """Its losses as text, which holds NaN and infinity."""
        return {name: str(value) for name, value in self.losses.items()}


def first_bad_batch(finite: Sequence[bool], applied: Sequence[bool], accumulate: int) -> int | None:
    """Return the first batch whose loss, or whose update's gradient, is not finite; None: none.

    Later ones may be its consequence.

    Args:
        finite: By batch: its losses are.
        applied: By update: its gradient is.
        accumulate: Batches of one update.
    """
    batches = [number for number, good in enumerate(finite) if not good]
    updates = [number * accumulate for number, good in enumerate(applied) if not good]
    return min(batches + updates, default=None)


def write_record(task: Task[Any, Any], fabric: Fabric, folder: Path, batch: BadBatch) -> Path:
    """Write nonfinite.json, which says where the batch's patches are from; return its path.

    Args:
        task: Gives the locations.
        fabric: Says which process this is.
        folder: Of the run.
        batch: Of this process.
    """
    rank, world = fabric.global_rank, fabric.world_size
    path = folder / f"nonfinite{f'-rank{rank}' if world > 1 else ''}.json"
    patches = task.locations(batch.epoch, batch.step, rank=rank, world=world)
    numbers = {"epoch": batch.epoch + 1, "batch": batch.step + 1}
    replace_text(path, to_json({**numbers, "losses": batch.shown, "patches": patches}))
    return path


def not_finite(batch: BadBatch, record: Path, updates: int, lr: float) -> TrainingError:
    """Return the error of a training whose gradients are not finite.

    Args:
        batch: The first one.
        record: Lists its patches.
        updates: In a row whose gradients are not.
        lr: Learning rate of the run.
    """
    row = f", and so on for {updates} updates in a row" if updates > 1 else ""
    return TrainingError(
        f"the loss is not finite in epoch {batch.epoch + 1}, batch {batch.step + 1}"
        f" ({batch.shown}){row}; its patches are listed in {record}",
        "look at them, or resume at a lower learning rate or full precision, {resume_with} or"
        " machine.precision=32-true",
        {"resume_with": f"train.lr={lr / 2:g}"},
    )


def no_memory_to_load(device: torch.device) -> DeviceError:
    """Return the error of data and network that do not fit into the device's memory."""
    return DeviceError(
        f"the ROIs and the network do not fit into the memory of {device}",
        settings={"machine.residency": "disk"},
    )


def no_memory_to_learn(
    task: Task[Any, Any], learner: Learner, settings: TrainSettings, residency: str
) -> DeviceError:
    """Return the error of a step that does not fit; it states a batch size that was tried.

    Args:
        task: Makes the batches that are tried.
        learner: Of the failed step; its gradients are dropped.
        settings: Of the failed step.
        residency: Of the data, as `machine.residency` has it.
    """
    size, device = settings.batch_size, learner.fabric.device
    fits = fitting_batch(task, learner.network, size, learner.fabric)
    if not fits:
        return DeviceError(
            f"one patch does not fit into the memory of {device}",
            "use a smaller {sampling.patch_size}",
            {"sampling.patch_size": None},
        )
    accumulate = -(-size * settings.accumulate // fits)
    what = f"train.batch_size {size} does not fit into the memory of {device}"
    disk = ", or {machine.residency}" if residency in ("auto", "device") else ""
    on_disk = {"machine.residency": "disk"} if disk else {}
    if learner.progress.step:
        both = f"train.batch_size={fits},train.accumulate={accumulate}"
        return DeviceError(what, f"use {{resume_with}}{disk}", {"resume_with": both, **on_disk})
    settings_that_fit = {"train.batch_size": fits, "train.accumulate": accumulate}
    fix = f"use {{train.batch_size}} and {{train.accumulate}}{disk}"
    return DeviceError(what, fix, {**settings_that_fit, **on_disk})


def fitting_batch(task: Task[Any, Any], network: nn.Module, size: int, fabric: Fabric) -> int:
    """Return the first half, quarter, … of a batch size with which a step succeeds; else 0.

    Args:
        task: Makes the batches.
        network: Its gradients are dropped. A copy of it is tried, as its own weights start an
            exchange with the other processes as soon as they have a gradient; in eval mode, as in
            training BatchNorm and losses over all processes would wait for them.
        size: That does not fit.
        fabric: Gives device and precision.
    """
    fits = size // 2
    while fits:
        network.zero_grad(set_to_none=True)
        if fabric.device.type == "cuda":
            torch.cuda.empty_cache()
        if _has_room(task, network, fits, fabric):
            return fits
        fits //= 2
    return 0


def device_failed(device: torch.device, error: RuntimeError) -> DeviceError:
    """Return the error of a device that can no longer be used."""
    first = str(error).strip().splitlines()[0]
    return DeviceError(
        f"{device} failed: {first}",
        "start again: the same command resumes from the last checkpoint",
    )


def _has_room(task: Task[Any, Any], network: nn.Module, size: int, fabric: Fabric) -> bool:
    """Whether a step with that many patches succeeds."""
    try:
        tried = copy.deepcopy(network).eval()
        with fabric.autocast():
            losses = task.losses(tried, task.example(size))
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True
