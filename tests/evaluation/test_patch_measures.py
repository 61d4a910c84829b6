"""Every measure of patches: its value by hand, and in a resample as in the list it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.evaluation.patch_measures import PATCH_MEASURES, scored
from midog.metrics.calibration import reliability

SCORES = np.array([0.9, 0.8, 0.3, 0.6, 0.2, 0.1])
POSITIVE = np.array([True, True, True, False, False, False])
BY_HAND = {
    "auc": 8 / 9,
    "ap": (1 + 1 + 3 / 4) / 3,
    "balanced_accuracy": 2 / 3,
    "accuracy": 4 / 6,
    "sensitivity": 2 / 3,
    "specificity": 2 / 3,
    "precision": 2 / 3,
    "ece": reliability(SCORES, POSITIVE).ece,
}


@pytest.mark.parametrize("key", PATCH_MEASURES)
def test_values_are_those_by_hand(key):
    drawn = scored(SCORES, POSITIVE, 0.5).drawn()
    assert PATCH_MEASURES[key].value(drawn).tolist() == pytest.approx([BY_HAND[key]])


@pytest.mark.parametrize("key", PATCH_MEASURES)
def test_a_resample_is_the_list_that_it_stands_for(key):
    weights = np.random.default_rng(0).integers(0, 4, (20, 6))
    samples = PATCH_MEASURES[key].value(scored(SCORES, POSITIVE, 0.5).drawn(weights))
    for row, sample in zip(weights, samples, strict=True):
        again = scored(np.repeat(SCORES, row), np.repeat(POSITIVE, row), 0.5).drawn()
        (expected,) = PATCH_MEASURES[key].value(again)
        assert sample == pytest.approx(expected, nan_ok=True)


def test_what_needs_a_class_that_is_missing_is_undefined():
    drawn = scored(SCORES[:2], POSITIVE[:2], 0.5).drawn()
    values = {key: measure.value(drawn)[0] for key, measure in PATCH_MEASURES.items()}
    assert [key for key, value in values.items() if math.isnan(value)] == [
        "auc",
        "balanced_accuracy",
        "specificity",
    ]
