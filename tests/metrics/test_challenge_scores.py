"""The scores of the challenge's evaluation: its rule written out, and where nothing is there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.metrics.challenge_scores import challenge_froc_auc, challenge_scores
from midog.metrics.counts import Counts
from midog.metrics.froc import froc_auc
from midog.metrics.matching import match_points
from midog.metrics.points import RoiPoints
from tests.metrics.cases import roi, scattered_rois

NONE = roi([], [], [])


def literal_froc(rois: list[RoiPoints]) -> float:
    """The rule of the evaluation, threshold by threshold."""
    scores = np.concatenate([one.scores for one in rois])
    low, high = scores.min(), scores.max()
    recalls, alarms = {}, {}
    for threshold in [low] if low == high else np.linspace(low, high, 40).tolist():
        kept = [one.at_least(threshold) for one in rois]
        matches = [match_points(one.truth_mm, one.detected_mm) for one in kept]
        tp, fn = sum(own.tp for own in matches), sum(own.fn for own in matches)
        recalls[threshold] = tp / (tp + fn + 1e-6)
        alarms[threshold] = np.mean([own.fp for own in matches])
    x, y = np.array(list(alarms.values())), np.array(list(recalls.values()))
    order = np.argsort(x)
    places = np.linspace(0, 8, 50)
    read = np.interp(places, x[order], y[order], left=0, right=y[order][-1])
    return float(np.trapezoid(read, places))


@given(st.lists(scattered_rois(), min_size=1, max_size=4))
@settings(max_examples=20)
def test_froc_is_that_of_the_rule_written_out(rois: list[RoiPoints]) -> None:
    if any(len(one.scores) for one in rois):
        assert challenge_froc_auc(rois) == pytest.approx(literal_froc(rois), abs=1e-12)
    else:
        assert math.isnan(challenge_froc_auc(rois))


def test_equal_scores_are_one_threshold_left_of_which_recall_is_0() -> None:
    one = [roi([(0, 0)], [(0, 0), (0.1, 0.1)], [0.5, 0.5]), NONE]
    assert challenge_froc_auc(one) == pytest.approx(literal_froc(one), abs=1e-12)
    assert challenge_froc_auc(one) < froc_auc(one)


def test_where_there_is_nothing_the_numbers_are_the_evaluations() -> None:
    empty = challenge_scores([NONE], Counts())
    assert math.isnan(empty.pop("froc_auc"))
    assert empty == {"precision": 0, "recall": 0, "f1_score": 1, "AP": -1}
    alarms = challenge_scores([roi([], [(0, 0)], [0.5])], Counts(fp=1))
    assert alarms["froc_auc"] == 0
    assert alarms["AP"] == -1
    assert alarms["f1_score"] == pytest.approx(1e-6)
    missed = challenge_scores([roi([(0, 0)], [], [])], Counts(fn=1))
    assert missed["AP"] == 0


def test_a_small_number_stands_below_the_line() -> None:
    scores = challenge_scores([roi([(0, 0)], [(0, 0)], [0.5])], Counts(tp=1))
    assert scores["precision"] == scores["recall"] == 1 / (1 + 1e-6)
    assert scores["f1_score"] == 1
