"""last.ckpt: everything that a run needs to resume to the bit.

It is written so that a process killed at any moment leaves a whole one.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from midog.errors import CheckpointError
from midog.files import replacing
from midog.training.ema import Average

FORMAT = 2


@dataclass
class TrainingProgress:
    """How far a run is. It holds no random state: that is a function of seed, epoch and index.

    epoch, batch: what to train next; a batch that equals the epoch's number of batches means that
    only the end of the epoch is due.
    step: updates of the weights so far. losses: sums by name over the epoch's batches so far, of
    the means over the processes.
    best_score, score_name, best_epoch: of the validations so far; NaN, "" and -1 without one.
    stale: validations since the best one. finished: all epochs are done, or it stopped early.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    best_score: float = float("nan")
    score_name: str = ""
    best_epoch: int = -1
    stale: int = 0
    finished: bool = False

    def summary(self) -> dict[str, Any]:
        """Return what state.json says: epochs done, and the best score with its epoch from 1."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "finished": self.finished,
            "best_score": None if math.isnan(self.best_score) else self.best_score,
            "score_name": self.score_name or None,
            "best_epoch": self.best_epoch + 1,
        }


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What `read_checkpoint` read: tensors and plain values. path: named in errors."""

    path: Path
    state: dict[str, Any]


def save_checkpoint(
    path: Path,
    progress: TrainingProgress,
    network: nn.Module,
    optimizer: Optimizer,
    average: Average | None,
) -> None:
    """Write the state of a run beside `path`, flush it to the disk, rename it.

    Raises:
        CheckpointError: The disk is full, or the file cannot be written; the old one stays.
    """
    state = {
        "format": FORMAT,
        "threads": torch.get_num_threads(),
        "progress": asdict(progress),
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": None if average is None else average.state_dict(),
    }
    try:
        with (
            replacing(path, CheckpointError) as part,
            part.open("wb") as file,
        ):
            torch.save(state, file)
    except RuntimeError as error:  # torch's writer does not say why it could not write
        full = shutil.disk_usage(path.parent).free < 1 << 20
        why = "the disk is full" if full else str(error)
        raise CheckpointError(
            f"{path} cannot be written: {why}",
            "make room and start again: it resumes from the last whole checkpoint",
        ) from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote; no code in the file is ever run.

    Raises:
        CheckpointError: The file is missing, damaged, holds objects, or is of another version.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head != b"PK\x03\x04":  # as torch.save begins
            pickled = head[:1] == b"\x80"
            kind = "is a pickle of another kind and not trusted" if pickled else "is damaged"
            raise _unusable(f"{path} {kind}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _unusable(f"{path} does not exist") from None
    except CheckpointError:
        raise
    except Exception as error:  # torch.load raises whatever the bytes lead to
        code = "weights_only" in str(error)
        kind = "holds code (a pickle of objects) and is not trusted" if code else "is damaged"
        raise _unusable(f"{path} {kind}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _unusable(f"{path} is no checkpoint of this version (format {FORMAT})")
    return Checkpoint(path, state)


def restore(
    checkpoint: Checkpoint, network: nn.Module, optimizer: Optimizer, average: Average | None
) -> TrainingProgress:
    """Load the state into network, optimizer and average; return the progress.

    Raises:
        CheckpointError: The state does not fit them.
    """
    state = checkpoint.state
    try:
        network.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if average is not None:
            average.load_state_dict(state["ema"])
        return _progress(state["progress"])
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise _unusable(f"{checkpoint.path} does not fit this model: {reason}") from None


def _unusable(what: str) -> CheckpointError:
    return CheckpointError(what, "start anew with {fresh}", {"fresh": True})


def _progress(values: dict[str, Any]) -> TrainingProgress:
    """The progress of a checkpoint; ValueError where a value is missing or out of range."""
    fresh = asdict(TrainingProgress())
    for name, default in fresh.items():
        if type(values[name]) is not type(default):
            raise ValueError(f"its {name} is {values[name]!r}")
    if (
        min(values["epoch"], values["batch"], values["step"]) < 0
        or values["best_epoch"] > values["epoch"]
    ):
        raise ValueError(f"its progress is {values}")
    return TrainingProgress(**{name: values[name] for name in fresh})
