"""A classifier's validation: a threshold chosen on val, and the score that is asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.training.tasks.patches_scores import validate_patches

LABELS = np.array([1, 1, 1, 0, 0, 0, 0])
LOGITS = np.array([3, 2, -1, 0, -2, -3, -2], np.float32)


def test_scores_are_those_at_the_best_threshold():
    scalars = validate_patches(LOGITS, LABELS, "auc").scalars
    assert scalars["val/auc"] == pytest.approx(11 / 12)
    # all three positives and one of four negatives lie above it
    p = [1 / (1 + math.exp(-logit)) for logit in (-1, -2)]
    assert scalars["val/threshold"] == pytest.approx(sum(p) / 2)
    assert scalars["val/sensitivity"] == 1
    assert scalars["val/specificity"] == 3 / 4
    assert scalars["val/balanced_accuracy"] == 7 / 8
    assert scalars["val/accuracy"] == 6 / 7
    losses = np.logaddexp(0, np.where(LABELS == 1, -1, 1) * LOGITS.astype(float))
    assert scalars["val/loss"] == pytest.approx(losses.mean())


@pytest.mark.parametrize(
    ("score", "name"),
    [("auc", "AUC"), ("ap", "AP"), ("balanced_accuracy", "balanced accuracy")],
)
def test_the_score_that_is_asked_for_leads(score, name):
    validation = validate_patches(LOGITS, LABELS, score)
    assert validation.score == validation.scalars[f"val/{score}"]
    assert validation.score_name == name


def test_logits_that_are_not_finite_score_nothing():
    validation = validate_patches(LOGITS * np.float32(math.nan), LABELS, "auc")
    assert math.isnan(validation.score)
    assert validation.scalars["val/threshold"] == 0.5


def test_sure_scores_are_told_apart():
    validation = validate_patches(
        np.array([60, 50, 40, 30], np.float32), np.array([1, 1, 0, 0]), "auc"
    )
    assert validation.score == 1
