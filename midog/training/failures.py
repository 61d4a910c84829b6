"""How a failed run is explained: a loss that is not finite, and memory that ran out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from midog.config.schema import TrainSettings
from midog.errors import DeviceError, TrainingError
from midog.files import replace_text
from midog.json_text import to_json
from midog.training.tasks.task import Task


def first_bad_batch(losses: Tensor, norms: Tensor, accumulate: int) -> int:
    """Return the first batch whose loss, or whose update's gradient, is not finite.

    Later ones may be its consequence.

    Args:
        losses: (batches,) bool, finite or not.
        norms: (updates,) bool, finite or not, for the same batches.
        accumulate: Batches of one update.
    """
    batches = [int(number) for number in (~losses).nonzero()[:1]]
    updates = [int(number) for number in (~norms).nonzero()[:1]]
    return min(batches + [number * accumulate for number in updates])


def not_finite(
    task: Task[Any, Any],
    fabric: Fabric,
    folder: Path,
    epoch: int,
    step: int,
    losses: dict[str, float],
) -> TrainingError:
    """Write nonfinite.json, which says where the batch's patches are from; return the error.

    Args:
        task: Gives the locations.
        fabric: Says which process this is.
        folder: Of the run.
        epoch: From 0.
        step: The batch's number in the epoch, from 0.
        losses: Its losses by name.
    """
    shown = {name: str(value) for name, value in losses.items()}
    rank = f"-rank{fabric.global_rank}" if fabric.world_size > 1 else ""
    path = folder / f"nonfinite{rank}.json"
    patches = task.locations(epoch, step, rank=fabric.global_rank, world=fabric.world_size)
    record = {"epoch": epoch + 1, "batch": step + 1, "losses": shown, "patches": patches}
    replace_text(path, to_json(record))
    return TrainingError(
        f"the loss is not finite in epoch {epoch + 1}, batch {step + 1} ({shown}); its patches"
        f" are listed in {path}",
        "look at them, lower {train.lr}, or use {machine.precision}",
        {"train.lr": None, "machine.precision": "32-true"},
    )


def no_memory_to_load(device: torch.device) -> DeviceError:
    """Return the error of data and network that do not fit into the device's memory."""
    return DeviceError(
        f"the ROIs and the network do not fit into the memory of {device}",
        settings={"machine.residency": "disk"},
    )


def no_memory_to_learn(
    task: Task[Any, Any],
    network: nn.Module,
    settings: TrainSettings,
    residency: str,
    device: torch.device,
) -> DeviceError:
    """Return the error of a step that does not fit; it states a batch size that was tried.

    Args:
        task: Makes the batches that are tried.
        network: Of the failed step; its gradients are dropped.
        settings: Of the failed step.
        residency: Of the data, as `machine.residency` has it.
        device: Of the network.
    """
    size = settings.batch_size
    fits = fitting_batch(task, network, size, device)
    if not fits:
        return DeviceError(
            f"one patch does not fit into the memory of {device}",
            "use a smaller {sampling.patch_size}",
            {"sampling.patch_size": None},
        )
    accumulate = -(-size * settings.accumulate // fits)
    disk = ", or {machine.residency}" if residency in ("auto", "device") else ""
    return DeviceError(
        f"train.batch_size {size} does not fit into the memory of {device}",
        f"use {{train.batch_size}} and {{train.accumulate}}{disk}",
        {
            "train.batch_size": fits,
            "train.accumulate": accumulate,
            **({"machine.residency": "disk"} if disk else {}),
        },
    )


def fitting_batch(task: Task[Any, Any], network: nn.Module, size: int, device: torch.device) -> int:
    """Return the first half, quarter, … of a batch size with which a step succeeds; else 0."""
    fits = size // 2
    while fits:
        network.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            losses = task.losses(network, task.example(fits))
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            return fits
        except torch.OutOfMemoryError:
            fits //= 2
    return 0
