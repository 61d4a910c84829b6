"""last.ckpt: everything a run needs to go on, to the bit, written so that a kill at any moment
leaves a whole one."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from midog.errors import CheckpointError
from midog.files import point_link, replacing
from midog.inference.detector import Detector
from midog.training.ema import Average

FORMAT = 1


@dataclass
class Progress:
    """How far a run is. Random numbers need no place here: they are functions of (seed, epoch,
    index).

    epoch, batch: next thing to train (batch counts in its epoch; the epoch's number of batches:
    only its end is due).
    step: updates of the weights so far. losses: sums by part over the epoch's batches so far.
    best_f1, best_epoch: of the validations so far, NaN and -1 without one. stale: validations since
    then.
    finished: all epochs done, or stopped early.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    best_f1: float = float("nan")
    best_epoch: int = -1
    stale: int = 0
    finished: bool = False


def save_checkpoint(
    path: Path, progress: Progress, model: nn.Module, optimizer: Optimizer, ema: Average | None
) -> None:
    """Write beside `path`, flush to the disk, rename. Raises CheckpointError on a full disk; the
    old file stays."""
    state = {
        "format": FORMAT,
        "threads": torch.get_num_threads(),
        "progress": asdict(progress),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": None if ema is None else ema.state_dict(),
    }
    try:
        with (
            replacing(path, CheckpointError, durable=True) as part,
            part.open("wb") as file,
        ):
            torch.save(state, file)
    except RuntimeError as error:  # torch's writer does not say why it could not write
        full = shutil.disk_usage(path.parent).free < 1 << 20
        why = "the disk is full" if full else str(error)
        raise CheckpointError(
            f"{path} cannot be written: {why}",
            "make room and start again: it goes on from the last whole checkpoint",
        ) from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote; tensors and plain values only. Raises
    CheckpointError."""
    remedy = "start anew with --fresh"
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head != b"PK\x03\x04":  # as torch.save begins
            kind = (
                "is a pickle of another kind and not trusted"
                if head[:1] == b"\x80"
                else "is damaged"
            )
            raise CheckpointError(f"{path} {kind}", remedy)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is not there", remedy) from None
    except CheckpointError:
        raise
    except Exception as error:  # torch.load raises whatever the bytes lead it to
        kind = (
            "holds code (a pickle of objects) and is not trusted"
            if "weights_only" in str(error)
            else "is damaged"
        )
        raise CheckpointError(f"{path} {kind}", remedy) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of this version (format {FORMAT})", remedy)
    return state


def restore(
    state: dict[str, Any], path: Path, model: nn.Module, optimizer: Optimizer, ema: Average | None
) -> Progress:
    """Load the state into model, optimizer and average; returns the progress. Raises
    CheckpointError if it misfits."""
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if ema is not None:
            ema.load_state_dict(state["ema"])
        return _progress(state["progress"])
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path} does not fit this model: {reason}", "start anew with --fresh"
        ) from None


def _progress(values: dict[str, Any]) -> Progress:
    """The progress of a checkpoint. Raises ValueError where a value is missing or of another
    kind."""
    fresh = asdict(Progress())
    for name, kind in ((name, type(value)) for name, value in fresh.items()):
        if type(values[name]) is not kind:
            raise ValueError(f"its {name} is {values[name]!r}")
    if (
        min(values["epoch"], values["batch"], values["step"]) < 0
        or values["best_epoch"] > values["epoch"]
    ):
        raise ValueError(f"its progress is {values}")
    return Progress(**{name: values[name] for name in fresh})


def save_best(detector: Detector, folder: Path, epoch: int) -> Path:
    """Write the detector into a folder of its own, swap the link `best` onto it, drop those it
    pointed to before."""
    target, number = folder / f"best-{epoch:04d}", 1
    while target.exists():  # of this epoch, trained again after a break
        target, number = folder / f"best-{epoch:04d}-{number}", number + 1
    detector.save(target)
    point_link(folder / "best", target)
    for stale in folder.glob("best-*"):
        if stale != target:
            shutil.rmtree(stale)
    return target
