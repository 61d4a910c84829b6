"""The best model of a run: when a validation makes one, and which one a resumed run has."""

from __future__ import annotations

import logging
import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from midog.config.schema import TrainSettings
from midog.files import point_link
from midog.json_text import plain
from midog.training.checkpoint import TrainingProgress
from midog.training.learner import Learner
from midog.training.tasks.task import Task, Validation

logger = logging.getLogger(__name__)


def keep_if_best(
    learner: Learner,
    task: Task[Any, Any],
    validation: Validation,
    settings: TrainSettings,
    folder: Path,
    fingerprint: str,
) -> Validation:
    """Keep the validated weights where they are the best so far, as `settings.best` has it.

    The run's link `best` points to them from the next save on, so that it fits last.ckpt.

    Args:
        learner: Its progress takes up the score.
        task: Writes the model folder.
        validation: Of `learner.validated`.
        settings: How the best is chosen.
        folder: Of the run.
        fingerprint: Of the data, for model.json.

    Returns:
        The validation; where scores are smoothed, with their running mean among its scalars.
    """
    progress = learner.progress
    progress.smoothed_score = smoothed(
        progress.smoothed_score, validation.score, settings.best_smoothing
    )
    value = validation.score
    if settings.best == "smoothed":
        value = progress.smoothed_score
        scalars = {**validation.scalars, "val/smoothed_score": value}
        validation = replace(validation, scalars=scalars)
    if settings.best != "last" and not is_better(value, progress.best_value):
        progress.stale += 1
        return validation
    progress.stale, progress.best_epoch = 0, progress.epoch
    progress.best_value = 0.0 if math.isnan(value) else value
    progress.best_score = 0.0 if math.isnan(validation.score) else validation.score
    progress.score_name = validation.score_name
    if not learner.fabric.is_global_zero:
        return validation
    info = {
        "epoch": progress.epoch + 1,
        "data": fingerprint,
        "git": git_revision(),
        "val": plain(validation.scalars),
    }
    target = new_folder(folder, progress.epoch + 1)
    task.package(learner.validated, validation, target, info)
    progress.best_folder = target.name
    return validation


def smoothed(mean: float, score: float, kept: float) -> float:
    """Return the running mean of the scores with one more: kept * mean + (1 - kept) * score.

    The first score is the first mean (`mean` is NaN then); a NaN score (nothing to score) is 0.
    """
    score = 0.0 if math.isnan(score) else score
    return score if math.isnan(mean) else kept * mean + (1 - kept) * score


def is_better(score: float, best: float) -> bool:
    """Return whether a score beats the best so far.

    The first one does, whatever it is (`best` is NaN then), and NaN (nothing to score) is 0.
    """
    return math.isnan(best) or (0.0 if math.isnan(score) else score) > best


def new_folder(folder: Path, epoch: int) -> Path:
    """Return where a run's model of an epoch (from 1) is to be written; nothing is there yet."""
    target, number = folder / f"best-{epoch:04d}", 1
    while target.exists():  # of this epoch, trained again after an interruption
        target, number = folder / f"best-{epoch:04d}-{number}", number + 1
    return target


def restore_best(folder: Path, progress: TrainingProgress) -> None:
    """Point the link `best` of a resumed run to the model that its checkpoint names.

    A model that is missing is forgotten with its score, so that the next validation makes one.

    Args:
        folder: Of the run.
        progress: As the checkpoint has it.
    """
    link = folder / "best"
    if not progress.best_folder:
        return
    target = folder / progress.best_folder
    if not target.is_dir():
        logger.warning("%s is missing: the next validation makes a new best model", target)
        progress.best_score, progress.best_epoch, progress.best_folder = math.nan, -1, ""
        progress.score_name, progress.best_value = "", math.nan
    elif not link.is_symlink() or link.resolve() != target.resolve():
        point_link(link, target)


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
