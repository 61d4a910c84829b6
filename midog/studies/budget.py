"""Budgets of trainings: so many updates, or as many as so many seconds allow, as epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from midog.config.training import TrainSettings
from midog.data.roi import Roi
from midog.studies.study_settings import BudgetSettings
from midog.studies.trainings import Training


def updates_per_epoch(settings: TrainSettings, draws: int) -> int:
    """The number of updates of an epoch on one device.

    Args:
        settings: Batch and accumulation.
        draws: Patches of an epoch.
    """
    steps = -(-draws // settings.batch_size)
    return -(-steps // settings.accumulate)


def draws_per_epoch(patches_per_roi: int, rois: Sequence[Roi]) -> int:
    """The number of patches that are drawn in an epoch from the train ROIs among these."""
    return patches_per_roi * sum(roi.split == "train" for roi in rois)


def count_updates(training: Training) -> int:
    """The number of updates of all epochs of a training."""
    settings, sampling = training.config.train, training.config.sampling
    draws = draws_per_epoch(sampling.patches_per_roi, training.rois)
    # a second look draws so many crops, whatever the ROIs
    draws = getattr(training.config.task, "crops_per_epoch", draws)
    return settings.epochs * updates_per_epoch(settings, draws)


def budgeted(
    settings: TrainSettings, draws: int, budget: BudgetSettings, rate: Callable[[], float]
) -> dict[str, int]:
    """Settings of as many epochs as a budget allows, at least one, and of as many validations.

    Args:
        settings: Of a training.
        draws: Patches of an epoch.
        budget: Of the training.
        rate: Seconds of one update, asked for where the budget is in seconds; NaN: not known, and
            the epochs stay.

    Returns:
        Settings of `train` by name.
    """
    if budget.updates is not None:
        updates = float(budget.updates)
    else:
        updates = (budget.seconds or 0) / rate()
        if math.isnan(updates):
            return {}
    epochs = max(1, round(updates / updates_per_epoch(settings, draws)))
    validations = -(-settings.epochs // settings.validate_every)
    return {"epochs": epochs, "validate_every": max(1, epochs // validations)}
