"""last.ckpt: everything that a run needs to resume to the bit, written whole and read with doubt.

It is written so that a process killed at any moment leaves a whole one.
"""

from __future__ import annotations

import math
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from midog.errors import CheckpointError
from midog.files import replacing
from midog.training.ema import Average

FORMAT = 3


@dataclass
class TrainingProgress:
    """How far a run is. It holds no random state: that is a function of seed, epoch and index.

    epoch, batch: what to train next; a batch that equals the epoch's number of batches means that
    only the end of the epoch is due.
    step: updates of the weights so far. losses: sums by name over the epoch's batches so far, of
    the means over the processes, but for the `lost` ones, whose loss is not finite.
    skipped, skipped_in_a_row: updates that were skipped, as their gradient was not finite: in all,
    and those since the last one that was not.
    schedule_offset: what the schedule of the learning rate is ahead of `step`, since the batch size
    or the number of epochs was changed.
    best_score, score_name, best_epoch: of the validations so far; NaN, "" and -1 without one.
    best_folder: name of the best model's folder, "" without one.
    best_value, smoothed_score: what the best one was compared by, and the running mean of the
    scores; NaN without a validation.
    averaged_epoch: the last whose weights are in the mean of the last validations; -1: none.
    loss_scale, loss_scale_age: in float16, what the loss is multiplied by (0: none yet), and the
    updates since it changed.
    stale: validations since the best one. finished: all epochs are done, or it stopped early.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    lost: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    schedule_offset: int = 0
    best_score: float = float("nan")
    score_name: str = ""
    best_epoch: int = -1
    best_folder: str = ""
    best_value: float = float("nan")
    smoothed_score: float = float("nan")
    averaged_epoch: int = -1
    loss_scale: float = 0.0
    loss_scale_age: int = 0
    stale: int = 0
    finished: bool = False

    def summary(self) -> dict[str, Any]:
        """Return what state.json says: epochs done, and the best score with its epoch from 1."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "skipped": self.skipped,
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


def take_state(
    progress: TrainingProgress,
    network: nn.Module,
    optimizer: Optimizer,
    average: Average | None,
    facts: Mapping[str, Any],
    task: Mapping[str, Tensor] | None = None,
    mean: AveragedModel | None = None,
) -> dict[str, Any]:
    """Copy the state of a run into the host's memory, so that the training may move on.

    Args:
        progress: How far the run is.
        network: Its weights.
        optimizer: Its moments.
        average: Its averaged weights, if it has some.
        facts: Further plain values: what the run was started with.
        task: What the task remembers between epochs.
        mean: Of the weights of its last validations, where the progress has begun one.
    """
    state = {
        "format": FORMAT,
        "threads": torch.get_num_threads(),
        "progress": asdict(progress),
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict()["state"],
        "ema": None if average is None else average.state_dict(),
        "mean": None if mean is None or progress.averaged_epoch < 0 else mean.state_dict(),
        "facts": dict(facts),
        "task": dict(task or {}),
    }
    copied: dict[str, Any] = _copied(state)
    return copied


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write what `take_state` took beside `path`, flush it to the disk, rename it.

    Raises:
        CheckpointError: The disk is full, or the file cannot be written; the old one stays.
    """
    try:
        with replacing(path, CheckpointError) as part, part.open("wb") as file:
            torch.save(dict(state), file)
    except RuntimeError as error:  # torch's writer does not say why it could not write
        full = shutil.disk_usage(path.parent).free < 1 << 20
        why = "the disk is full" if full else " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path} cannot be written: {why}",
            "make room and start again: it resumes from the last whole checkpoint",
        ) from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote; no code in the file is ever run.

    Every byte of the tensors is checked against the file's own checksums.

    Raises:
        CheckpointError: The file is missing, damaged, holds objects, or is of another version.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head != b"PK\x03\x04":  # as torch.save begins
            pickled = head[:1] == b"\x80"
            kind = "is a pickle of another kind and not trusted" if pickled else "is damaged"
            raise unusable(path, kind)
        _verify(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise unusable(path, "does not exist") from None
    except CheckpointError:
        raise
    except Exception as error:  # torch.load raises whatever the bytes lead to
        code = "weights_only" in str(error)
        kind = "holds code (a pickle of objects) and is not trusted" if code else "is damaged"
        raise unusable(path, kind) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise unusable(path, f"is no checkpoint of this version (format {FORMAT})")
    return Checkpoint(path, state)


def unusable(path: Path, why: str) -> CheckpointError:
    """Return the error of a checkpoint that cannot be used."""
    return CheckpointError(
        f"{path} {why}",
        f"put a whole copy of it back, or move {path.parent} away: the same command then starts"
        " anew",
    )


def _verify(path: Path) -> None:
    """Raise what zipfile raises, or an error, where a byte is not the one that was written."""
    with zipfile.ZipFile(path) as archive:
        packed = [info for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
        if packed or archive.testzip() is not None:
            raise unusable(path, "is damaged: its checksums do not fit its content")


def _copied(value: Any) -> Any:
    """A nested value with every tensor copied into the host's memory, strides kept."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return value
