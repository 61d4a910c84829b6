"""Scores of patches with the challenge's keys: its positives, its domains, what it refuses."""

from __future__ import annotations

import pytest

from midog.errors import DataError, WeightsError
from midog.evaluation.patch_challenge import patch_challenge_metrics
from tests.evaluation.test_patches import CLASSES, SCORES, evaluate, patches


def test_they_are_those_of_the_evaluation_by_domain() -> None:
    own = patch_challenge_metrics(patches(), SCORES, threshold=0.5, classes=CLASSES, by="lab")
    whole, by_lab = own["aggregates"], evaluate(patches(), by="lab").groups
    for name, key in (("balanced_accuracy",) * 2, ("roc_auc", "auc"), ("accuracy",) * 2):
        assert whole[f"overall_{name}"] == pytest.approx(by_lab["all"].intervals[key].value)
        for lab in ("lab0", "lab1"):
            expected = by_lab[lab].intervals[key].value
            assert whole[f"domain_{lab}"][name] == pytest.approx(expected)
    assert own["results"] == {}


def test_atypical_figures_are_positive_whichever_class_they_are() -> None:
    how = {"threshold": 0.57, "by": "lab"}
    own = patch_challenge_metrics(patches(), SCORES, classes=CLASSES, **how)
    turned = patches(labels=1 - patches().labels)
    how["threshold"] = 1 - how["threshold"]
    other = patch_challenge_metrics(turned, 1 - SCORES, classes=("atypical", "normal"), **how)
    for key, value in own["aggregates"].items():
        assert other["aggregates"][key] == pytest.approx(value, abs=1e-12)
    assert list(other["aggregates"]) == list(own["aggregates"])
    assert own["aggregates"]["overall_sensitivity"] != own["aggregates"]["overall_specificity"]


def test_other_classes_and_several_columns_are_refused() -> None:
    with pytest.raises(WeightsError, match="not atypical figures"):
        patch_challenge_metrics(patches(), SCORES, threshold=0.5, classes=("tumour", "other"))
    with pytest.raises(DataError, match="are one column"):
        patch_challenge_metrics(patches(), SCORES, threshold=0.5, classes=CLASSES, by="lab,slide")
    with pytest.raises(DataError, match="no column 'x'"):
        patch_challenge_metrics(patches(), SCORES, threshold=0.5, classes=CLASSES, by="x")
