"""The scores of track 2: against counts by hand, and where a class is missing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics.class_scores import class_aggregates, class_scores

SCORES = np.array([0.1, 0.8, 0.3, 0.9, 0.6, 0.4])
POSITIVE = np.array([False, True, False, True, False, True])


def test_rates_are_those_of_the_counts() -> None:
    assert class_scores(SCORES, POSITIVE, 0.5) == {
        "sensitivity": pytest.approx(2 / 3),
        "specificity": pytest.approx(2 / 3),
        "balanced_accuracy": pytest.approx(2 / 3),
        "accuracy": pytest.approx(4 / 6),
        "roc_auc": pytest.approx(8 / 9),
    }


def test_the_keys_are_those_of_the_evaluation_and_domains_are_numbers_first() -> None:
    whole = class_aggregates(SCORES, POSITIVE, 0.5, ["10", "x", "2", "x", "2", "10"])
    assert list(whole) == [
        "overall_sensitivity",
        "overall_specificity",
        "overall_balanced_accuracy",
        "overall_roc_auc",
        "overall_accuracy",
        "domain_2",
        "domain_10",
        "domain_x",
    ]
    assert whole["domain_10"]["roc_auc"] == 1
    assert whole["domain_10"]["sensitivity"] == 0


def test_a_missing_class_is_0_in_a_domain_and_undefined_in_all() -> None:
    none = class_scores(SCORES[:3], POSITIVE[:3] & False, 0.5)
    assert (none["sensitivity"], none["balanced_accuracy"]) == (0, pytest.approx(1 / 3))
    assert math.isnan(none["roc_auc"])
    whole = class_aggregates(SCORES, POSITIVE & False, 0.5)
    assert math.isnan(whole["overall_sensitivity"])
    assert math.isnan(whole["overall_balanced_accuracy"])
    assert whole["overall_specificity"] == 0.5
    assert math.isnan(class_aggregates(SCORES, POSITIVE | True, 0.5)["overall_specificity"])
