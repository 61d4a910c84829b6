"""Counts of px and their rates, by hand and where there is nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics.pixel_counts import PixelCounts


def test_rates_by_hand():
    taken = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], bool)
    truth = np.array([1, 1, 0, 1, 1, 0, 0, 0, 0, 0], bool)
    counts = PixelCounts.of(taken, truth)
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (2, 1, 2, 5)
    assert counts.pixels == 10
    assert counts.to_dict() == {
        "tp": 2,
        "fp": 1,
        "fn": 2,
        "tn": 5,
        "prevalence": 0.4,
        "accuracy": 0.7,
        "tp_rate": 0.5,
        "fp_rate": pytest.approx(1 / 6),
        "tn_rate": pytest.approx(5 / 6),
        "fn_rate": 0.5,
        "precision": pytest.approx(2 / 3),
        "dice": pytest.approx(4 / 7),
    }


def test_rates_of_nothing_are_not_known():
    nothing = PixelCounts.of(np.zeros(0, bool), np.zeros(0, bool))
    assert nothing == PixelCounts.total([])
    assert all(math.isnan(nothing.to_dict()[key]) for key in ("prevalence", "tp_rate", "dice"))
    normal = PixelCounts(0, 0, 0, 9)
    assert (normal.specificity, normal.prevalence) == (1, 0)
    assert math.isnan(normal.precision)


def test_counts_add_up():
    assert PixelCounts.total([PixelCounts(1, 2, 3, 4)] * 2) == PixelCounts(2, 4, 6, 8)
