"""The best model of a run: when a validation makes one, and the link `best` that points to it."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from midog.files import point_link
from midog.json_text import plain
from midog.training.learner import Learner
from midog.training.tasks.task import Task, Validation


def keep_if_best(
    learner: Learner, task: Task[Any, Any], validation: Validation, folder: Path, fingerprint: str
) -> None:
    """Make the validated weights the run's `best` where their score is the best so far.

    Args:
        learner: Its progress takes up the score.
        task: Writes the model folder.
        validation: Of `learner.averaged`.
        folder: Of the run.
        fingerprint: Of the data, for model.json.
    """
    progress = learner.progress
    if not is_better(validation.score, progress.best_score):
        progress.stale += 1
        return
    progress.stale, progress.best_epoch = 0, progress.epoch
    progress.best_score = 0.0 if math.isnan(validation.score) else validation.score
    progress.score_name = validation.score_name
    if not learner.fabric.is_global_zero:
        return
    info = {
        "epoch": progress.epoch + 1,
        "data": fingerprint,
        "git": git_revision(),
        "val": plain(validation.scalars),
    }
    replace_best(
        folder,
        progress.epoch + 1,
        lambda target: task.package(learner.averaged, validation, target, info),
    )


def is_better(score: float, best: float) -> bool:
    """Return whether a score beats the best so far.

    The first one does, whatever it is (`best` is NaN then), and NaN (nothing to score) is 0.
    """
    return math.isnan(best) or (0.0 if math.isnan(score) else score) > best


def replace_best(folder: Path, epoch: int, write: Callable[[Path], None]) -> Path:
    """Have a model written into a folder of its own, and swap the run's link `best` onto it.

    Args:
        folder: Of the run.
        epoch: From 1; names the model's folder.
        write: Makes the folder that it is given.

    Returns:
        The model's folder; those that `best` pointed to before are gone.
    """
    target, number = folder / f"best-{epoch:04d}", 1
    while target.exists():  # of this epoch, trained again after an interruption
        target, number = folder / f"best-{epoch:04d}-{number}", number + 1
    write(target)
    point_link(folder / "best", target)
    for stale in folder.glob("best-*"):
        if stale != target:
            shutil.rmtree(stale)
    return target


def git_revision() -> str | None:
    """Return the commit of the checkout that this code runs from; None for a wheel.

    It ends in "+" where files were changed since.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
