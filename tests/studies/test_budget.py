"""Budgets as epochs."""

from __future__ import annotations

import math

import pytest

from midog.config.load import load_config
from midog.data.roi import Roi
from midog.data.split_file import Split
from midog.studies.budget import budgeted, count_updates, draws_per_epoch, updates_per_epoch
from midog.studies.study_settings import BudgetSettings
from midog.studies.trainings import Training

ROIS = [Roi(f"{number}", split="train") for number in range(3)] + [Roi("v", split="val")]


def config(*more: str):
    sizes = ["sampling.patches_per_roi=10", "train.batch_size=4", "train.accumulate=2"]
    return load_config(None, [*sizes, "train.epochs=20", "train.validate_every=5", *more])


def test_updates_of_an_epoch_are_its_batches_by_those_of_an_update():
    assert draws_per_epoch(10, ROIS) == 30
    assert updates_per_epoch(config().train, 30) == 4  # 8 batches of 4, 2 each
    assert count_updates(Training("t", config(), Split("s", ()), ROIS, "")) == 80


@pytest.mark.parametrize(
    ("budget", "epochs", "every"),
    [({"updates": 41}, 10, 2), ({"updates": 1}, 1, 1), ({"seconds": 100}, 50, 12)],
)
def test_a_budget_sets_the_epochs_and_keeps_the_number_of_validations(budget, epochs, every):
    made = budgeted(config().train, 30, BudgetSettings(**budget), lambda: 0.5)
    assert made == {"epochs": epochs, "validate_every": every}


def test_an_unknown_rate_leaves_the_epochs():
    assert budgeted(config().train, 30, BudgetSettings(seconds=9), lambda: math.nan) == {}
