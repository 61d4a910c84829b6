"""The oracle's F1: against every threshold tried, and in resamples against the literal list."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.metrics.counts import counts_at
from midog.metrics.oracle import oracle_of_sweep, resample_oracle_f1
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.sweep import sweep
from tests.metrics.cases import roi

FAR = (500, 500)


@st.composite
def rois_of_few_scores(draw) -> RoiPoints:
    """Points on a coarse grid with scores of 0 to 1 in thirds, so that many tie."""
    point = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
        lambda xy: (xy[0] / 256, xy[1] / 256)
    )
    truth = draw(st.lists(point, max_size=4))
    detected = draw(st.lists(st.tuples(point, st.integers(0, 3)), max_size=7))
    return RoiPoints(truth, [xy for xy, _ in detected], [score / 3 for _, score in detected])


@given(st.lists(rois_of_few_scores(), max_size=4))
@settings(max_examples=50)
def test_no_threshold_is_better(rois: list[RoiPoints]) -> None:
    oracle = oracle_of_sweep(sweep(rois))
    if not sum(len(one.truth_mm) for one in rois):
        assert math.isnan(oracle.f1)
        assert math.isnan(oracle.threshold)
        return
    tried = [counts_at(rois, step / 6).f1 for step in range(1, 7)]
    assert oracle.f1 == max(tried)
    assert counts_at(rois, oracle.threshold).f1 == oracle.f1


@given(
    st.lists(rois_of_few_scores(), max_size=4),
    st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), max_size=4),
)
@settings(max_examples=50)
def test_each_resample_is_the_literally_resampled_list(rois, weights) -> None:
    table = np.array(weights, np.int64).reshape(len(weights), 4)[:, : len(rois)]
    ours = resample_oracle_f1(PooledMatches.of(rois), table)
    for row, value in zip(table.tolist(), ours, strict=True):
        again = [one for one, times in zip(rois, row, strict=True) for _ in range(times)]
        np.testing.assert_equal(value, oracle_of_sweep(sweep(again)).f1)


def test_more_resamples_than_are_taken_at_once_are_all_filled() -> None:
    matches = PooledMatches.of([roi([(0, 0)], [(0, 0)], [0.5]), roi([FAR], [], [])])
    ours = resample_oracle_f1(matches, np.tile([[1, 0], [1, 1]], (200, 1)))
    np.testing.assert_array_equal(ours, np.tile([1, 2 / 3], 200))


def test_it_is_at_the_floor_where_only_all_detections_are_best() -> None:
    hit_last = roi([(0, 0), FAR], [(0, 0), FAR], [0.9, 0.1])
    assert oracle_of_sweep(sweep([hit_last])).at_floor
    alarm_last = roi([(0, 0)], [(0, 0), FAR], [0.9, 0.1])
    assert not oracle_of_sweep(sweep([alarm_last])).at_floor
    assert oracle_of_sweep(sweep([roi([(0, 0)], [], [])])).at_floor, "nothing below is known"
    as_good_before = roi([(0, 0), FAR], [(0, 0), (900, 0), (900, 90), FAR], [0.9, 0.8, 0.7, 0.1])
    assert oracle_of_sweep(sweep([as_good_before])).f1 == 2 / 3
    assert not oracle_of_sweep(sweep([as_good_before])).at_floor
