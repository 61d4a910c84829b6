"""Matched ROIs: what they are together, some of them, and resamples of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics.counts import Counts, counts_at
from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.sweep import sweep

POINTS = [
    RoiPoints([(0.1, 0.1), (0.5, 0.5)], [(0.1, 0.1), (0.9, 0.9)], [0.9, 0.4]),
    RoiPoints([(0.2, 0.2)], [(0.2, 0.2)], [0.7]),
    RoiPoints([], [], []),
]


@pytest.fixture
def rois() -> MatchedRois:
    counts = [counts_at([points], 0.5) for points in POINTS]
    return MatchedRois(counts, np.array([1.0, 2.0, 0.5]), PooledMatches.of(POINTS))


def test_together(rois: MatchedRois) -> None:
    assert rois.pooled == Counts(2, 0, 1)
    assert (rois.figures, rois.area_mm2) == (3, 3.5)
    assert rois.sweep.tp.tolist() == sweep(POINTS).tp.tolist()
    truth, detected = rois.densities
    assert (truth.tolist(), detected.tolist()) == ([2, 0.5, 0], [1, 0.5, 0])
    assert rois.agreement.rois == 3
    assert rois.reliability.count.sum() == 3


def test_some_of_them_in_the_order_given(rois: MatchedRois) -> None:
    some = rois.select([2, 0])
    assert some.counts == [Counts(), Counts(1, 0, 1)]
    assert some.areas_mm2.tolist() == [0.5, 1]
    assert some.matches.figures.tolist() == [0, 2]


def test_resamples_count_each_roi_as_often_as_it_is_drawn(rois: MatchedRois) -> None:
    drawn = Resamples(rois, np.array([[1, 1, 1], [2, 0, 0], [0, 0, 0]]))
    assert (drawn.tp.tolist(), drawn.fp.tolist(), drawn.fn.tolist()) == (
        [2, 2, 0],
        [0, 0, 0],
        [1, 2, 0],
    )
    assert drawn.size.tolist() == [3, 2, 0]
    assert drawn.area_mm2.tolist() == [3.5, 2, 0]
    assert drawn.agreement.bias[0] == pytest.approx(rois.agreement.bias)


def test_an_unknown_area_is_unknown_in_every_resample(rois: MatchedRois) -> None:
    unknown = MatchedRois(rois.counts, np.array([1.0, math.nan, 1.0]), rois.matches)
    assert np.isnan(Resamples(unknown, np.array([[1, 0, 0], [1, 1, 1]])).area_mm2).all()
