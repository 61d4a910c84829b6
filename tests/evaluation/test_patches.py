"""The evaluation of a classifier on patches: groups, counts, and intervals over slides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from midog.data.patches.patch_set import PatchSet
from midog.errors import DataError
from midog.evaluation.patches import evaluate_patches

CLASSES = ("normal", "atypical")
SCORES = np.array([0.1, 0.8, 0.3, 0.9, 0.6, 0.4, 0.2, 0.7, 0.05, 0.55, 0.35, 0.95])


def patches(**changes) -> PatchSet:
    """Twelve patches, three of a slide, six of a lab; every second one is atypical."""
    own = PatchSet(
        "test",
        32,
        np.arange(12) % 2,
        tuple(f"s{number // 3}" for number in range(12)),
        [f"=p{number}" for number in range(12)],
        (),
        {"lab": [f"lab{number // 6}" for number in range(12)]},
    )
    return replace(own, **changes)


def evaluate(own: PatchSet, **changes):
    how = {"threshold": 0.5, "classes": CLASSES, "resamples": 300}
    return evaluate_patches(own, SCORES, **{**how, **changes})


def test_counts_and_scores_are_by_group():
    result = evaluate(patches(), by="lab")
    assert list(result.groups) == ["all", "lab0", "lab1"]
    whole, first, second = result.groups.values()
    assert (whole.patches, whole.slides, whole.positives) == (12, 4, 6)
    assert (whole.tp, whole.fp, whole.fn, whole.tn) == (5, 1, 1, 5)
    assert (first.tp, first.fp, first.fn, first.tn) == (2, 1, 1, 2)
    assert (second.tp, second.fp, second.fn, second.tn) == (3, 0, 0, 3)
    assert whole.intervals["balanced_accuracy"].value == pytest.approx(5 / 6)
    assert first.keys == {"lab": "lab0"}
    assert result.unit == "slide"


def test_intervals_are_over_slides_and_repeat():
    # all patches of a slide are alike: their number must not narrow the interval
    many = 20
    slides = tuple(f"s{number // many}" for number in range(6 * many))
    labels = np.tile([0, 1], 3 * many)
    right = np.repeat([True, False, True, True, False, True], many)
    scores = np.where(right == (labels == 1), 0.9, 0.1)
    names = [str(number) for number in range(6 * many)]
    own = PatchSet("test", 32, labels, slides, names, ())
    how = {"threshold": 0.5, "classes": CLASSES, "resamples": 500}
    by_slide = evaluate_patches(own, scores, **how).groups["all"].intervals["accuracy"]
    alone = evaluate_patches(replace(own, slides=()), scores, **how)
    by_patch = alone.groups["all"].intervals["accuracy"]
    assert by_slide.value == by_patch.value == pytest.approx(4 / 6)
    assert by_slide.high - by_slide.low > 3 * (by_patch.high - by_patch.low)
    assert alone.unit == "patch"
    again = evaluate_patches(own, scores, **how).groups["all"].intervals["accuracy"]
    assert again == by_slide
    assert evaluate_patches(own, scores, seed=1, **how).groups["all"].intervals != again


def test_without_resamples_there_are_no_limits():
    group = evaluate(patches(), resamples=0).groups["all"]
    assert group.intervals["auc"].value == evaluate(patches()).groups["all"].intervals["auc"].value
    assert math.isnan(group.intervals["auc"].low)


def test_an_unknown_column_is_one_line():
    with pytest.raises(DataError, match=r"no column 'scanner'; group by one of slide, lab"):
        evaluate(patches(), by="scanner")
    assert len(evaluate(patches(), by="slide", resamples=0).groups) == 5
