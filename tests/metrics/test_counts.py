"""Counts, against the rule and the field's own scorers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics.counts import Counts, counts_at
from tests.metrics.cases import GROUPS, parity_rois, roi


def test_ratios_are_nan_where_the_denominator_is_zero() -> None:
    assert all(math.isnan(value) for value in (Counts().precision, Counts().recall, Counts().f1))
    assert math.isnan(Counts(0, 0, 3).precision)
    assert Counts(0, 0, 3).recall == Counts(0, 0, 3).f1 == 0
    assert math.isnan(Counts(0, 2, 0).recall)
    assert Counts(0, 2, 0).precision == Counts(0, 2, 0).f1 == 0


def test_counts_add_up() -> None:
    total = Counts(3, 1, 0) + Counts(1, 0, 2)
    assert total == Counts(4, 1, 2)
    assert (total.precision, total.recall, total.f1) == (4 / 5, 4 / 6, 8 / 11)


def test_the_threshold_comes_before_the_matching() -> None:
    # The nearest point is below the threshold: the figure takes the other one.
    one = roi([(0, 0)], [(1, 0), (20, 0)], [0.2, 0.9])
    assert counts_at([one], 0.5) == Counts(1, 0, 0)
    assert counts_at([one], 0.9) == Counts(1, 0, 0)  # a score of the threshold itself counts
    assert counts_at([one], 0.1) == Counts(1, 1, 0)
    assert counts_at([one], np.nextafter(0.9, 1)) == Counts(0, 0, 1)


def test_rois_without_figures_and_without_points_count() -> None:
    nothing_there = roi([], [(5, 5), (50, 50)], [0.9, 0.8])
    nothing_found = roi([(5, 5)], [], [])
    assert counts_at([nothing_there, nothing_found], 0.5) == Counts(0, 2, 1)
    assert counts_at([], 0.5) == Counts()


@pytest.mark.parametrize("group", GROUPS)
def test_counts_equal_the_fields_at_every_threshold(parity, group) -> None:
    rois, expected = parity_rois(parity, group), parity["expected"][group]
    assert len(expected["at_threshold"]) == 7
    for threshold, figures in expected["at_threshold"].items():
        t = float(threshold)
        assert counts_at(rois, t) == Counts(figures["tp"], figures["fp"], figures["fn"])
        per_image = [counts_at([each], t) for each in rois]
        assert per_image == [Counts(*figure) for figure in figures["per_image_tp_fp_fn"]]
        assert counts_at(rois, t).f1 == pytest.approx(
            figures["f1"], abs=1e-6
        )  # theirs has an epsilon below
