"""Thresholds: the model's own, one chosen anew on val, and one from scanners that were left out."""

from __future__ import annotations

import math

import pytest

from midog.studies.tested import of_scanners, transferred_threshold
from tests.studies.small import detector, scored

VAL = {
    "a.tiff": ("A", 1, [(0.9, True), (0.3, False)]),
    "b.tiff": ("B", 1, [(0.5, True), (0.4, False)]),
}


def test_the_own_threshold_is_the_models_and_of_several_as_one_that_of_seen_val():
    assert detector("r", {"val": scored(VAL, threshold=0.7)}).own_threshold == 0.7
    assert detector("r", {"val": scored(VAL)}, retuned=True).own_threshold == pytest.approx(0.6)
    both = detector("r", {"val": scored(VAL)}, train_on="AB", retuned=True)
    assert both.own_threshold == pytest.approx(0.45), "between 0.4 and 0.5, on A and B"
    assert math.isnan(detector("r", {"t": scored(VAL)}, retuned=True).own_threshold)


def test_a_threshold_is_transferred_from_models_that_did_not_train_on_the_scanner():
    whole = detector("r", {"val": scored(VAL)}, train_on="AB")
    # the model of A alone sees B's figures at low scores, that of B alone A's
    of_a = {"b.tiff": ("B", 1, [(0.2, True), (0.1, False)]), "a.tiff": ("A", 1, [(0.9, True)])}
    of_b = {"a.tiff": ("A", 1, [(0.3, True), (0.12, False)]), "b.tiff": ("B", 1, [(0.8, True)])}
    others = [
        detector("r", {"val": scored(of_a)}, train_on="A", part="without_b"),
        detector("r", {"val": scored(of_b)}, train_on="B", part="without_a"),
    ]
    every = [whole, *others]
    assert transferred_threshold(whole, every) == pytest.approx((0.12 + 0.2) / 2)
    assert math.isnan(transferred_threshold(whole, [whole, others[0]])), "A was never left out"
    assert math.isnan(transferred_threshold(others[0], every)), "nobody trained on less"
    other_row = [detector("q", one.tests, one.train_on, part=one.part) for one in others]
    assert math.isnan(transferred_threshold(whole, [whole, *other_row]))
    other_seed = [detector("r", one.tests, one.train_on, (7,), one.part) for one in others]
    assert math.isnan(transferred_threshold(whole, [whole, *other_seed]))


def test_scanners_are_selected():
    assert of_scanners(scored(VAL), ["B"]).names == ("b.tiff",)
