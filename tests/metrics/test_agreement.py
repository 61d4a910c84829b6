"""Rank correlation, bias and limits of agreement, against scipy and by hand."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from midog.metrics.agreement import agreement, resample_agreement

tied = st.integers(0, 6).map(float)
dense = st.floats(0, 500, allow_subnormal=False)
pairs = st.lists(st.tuples(tied, tied), min_size=3, max_size=30) | st.lists(
    st.tuples(dense, dense), min_size=3, max_size=30
)


def columns(rows) -> tuple[np.ndarray, np.ndarray]:
    both = np.asarray(rows, np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@given(pairs)
def test_spearman_is_scipys(rows) -> None:
    truth, detected = columns(rows)
    assume(len(set(truth)) > 1)
    assume(len(set(detected)) > 1)
    assert agreement(truth, detected).spearman == pytest.approx(
        spearmanr(truth, detected).statistic, abs=1e-12
    )


@given(st.lists(dense, min_size=2, max_size=40, unique=True))
def test_equal_and_opposite_orders_correlate_fully(values) -> None:
    truth = np.array(values)
    assert agreement(truth, 2 * truth).spearman == 1
    assert agreement(truth, -truth).spearman == -1


def test_bias_and_limits_by_hand() -> None:
    # differences 1, -1, 3: mean 1, variance (0 + 4 + 4) / 2
    result = agreement([1, 2, 3], [2, 1, 6])
    assert (result.rois, result.bias, result.sd) == (3, 1, 2)
    assert (result.low, result.high) == (1 - 1.96 * 2, 1 + 1.96 * 2)
    assert result.spearman == pytest.approx(0.5)


@given(pairs)
def test_swapping_the_two_turns_the_sign(rows) -> None:
    truth, detected = columns(rows)
    forth, back = agreement(truth, detected), agreement(detected, truth)
    assert (back.bias, back.low, back.high, back.sd) == (
        -forth.bias,
        -forth.high,
        -forth.low,
        forth.sd,
    )
    assert forth.low <= forth.bias <= forth.high


def test_rois_of_unknown_density_are_left_out() -> None:
    truth = [1, math.nan, 2, 5, 3]
    detected = [2, 7, 1, math.nan, 6]
    assert agreement(truth, detected) == agreement([1, 2, 3], [2, 1, 6])


@pytest.mark.filterwarnings("error")
def test_nothing_known_is_nan() -> None:
    for empty in (agreement([], []), agreement([math.nan], [3])):
        assert empty.rois == 0
        assert all(math.isnan(value) for value in astuple(empty)[1:])


@pytest.mark.filterwarnings("error")
def test_one_roi_has_a_bias_and_no_limits() -> None:
    one = agreement([4], [6])
    assert (one.rois, one.bias) == (1, 2)
    assert all(math.isnan(value) for value in (one.spearman, one.sd, one.low, one.high))


@pytest.mark.filterwarnings("error")
def test_two_rois_are_enough() -> None:
    two = agreement([4, 6], [7, 5])
    assert (two.rois, two.spearman, two.bias) == (2, -1, 1)
    assert two.sd == pytest.approx(math.sqrt(8))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("truth", "detected"), [([0, 0, 0], [1, 2, 3]), ([1, 2, 3], [0, 0, 0]), ([2, 2], [2, 2])]
)
def test_a_constant_density_has_no_rank_correlation(truth, detected) -> None:
    result = agreement(truth, detected)
    assert math.isnan(result.spearman)
    assert math.isfinite(result.low)
    assert math.isfinite(result.high)


@pytest.mark.parametrize(
    ("truth", "detected"), [([1, 2], [1]), ([[1, 2]], [[1, 2]]), ([1, 2], [1, math.inf])]
)
def test_what_are_no_densities_is_refused(truth, detected) -> None:
    with pytest.raises(ValueError, match="densities"):
        agreement(truth, detected)


def by_anova(table: np.ndarray) -> float:
    """ICC(A,1) of a table (n, k), from the sums of squares of a two-way analysis of variance."""
    n, k = table.shape
    total = ((table - table.mean()) ** 2).sum()
    rows = k * ((table.mean(axis=1) - table.mean()) ** 2).sum()
    columns = n * ((table.mean(axis=0) - table.mean()) ** 2).sum()
    error = (total - rows - columns) / ((n - 1) * (k - 1))
    rows, columns = rows / (n - 1), columns / (k - 1)
    return (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)


def test_icc_is_that_of_an_analysis_of_variance() -> None:
    """Judges 1 and 2 of Shrout and Fleiss, Psychol Bull 1979, 86:420-428, table 2."""
    table = np.array([[9, 2], [6, 1], [8, 4], [7, 1], [10, 5], [6, 2]], float)
    assert agreement(*table.T).icc == pytest.approx(by_anova(table), rel=1e-12)
    assert agreement(*table.T).icc == pytest.approx(0.1256544502617801, rel=1e-12)


def test_icc_asks_for_absolute_agreement() -> None:
    truth = np.array([1.0, 4.0, 2.0, 9.0])
    assert agreement(truth, truth).icc == pytest.approx(1, abs=1e-12)
    shifted = agreement(truth, truth + 5)
    assert shifted.spearman == 1
    assert shifted.icc == pytest.approx((76 / 3) / (76 / 3 + 25), rel=1e-12)
    assert math.isnan(agreement([3, 3], [3, 3]).icc)
    assert math.isnan(agreement([3], [4]).icc)


# --- resamples

unknown = tied | st.just(math.nan)


@st.composite
def resampled(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Densities with ties and unknown ones (R,), (R,), and weights (B, R)."""
    rows = draw(st.lists(st.tuples(unknown, unknown) | st.tuples(dense, dense), max_size=6))
    weights = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))
    drawn = draw(st.lists(weights, min_size=1, max_size=4))
    return *columns(rows), np.array(drawn, np.int64).reshape(len(drawn), len(rows))


@given(resampled())
@settings(max_examples=400)
def test_each_resample_is_the_agreement_of_the_literally_resampled_list(case) -> None:
    truth, detected, weights = case
    ours = resample_agreement(truth, detected, weights)
    for at, row in enumerate(weights):
        literal = agreement(np.repeat(truth, row), np.repeat(detected, row))
        expected = [literal.spearman, literal.icc, literal.bias, literal.low, literal.high]
        drawn = [values[at] for values in (ours.spearman, ours.icc, ours.bias, ours.low, ours.high)]
        assert drawn == pytest.approx(expected, rel=1e-12, abs=1e-10, nan_ok=True)
        assert np.array_equal(drawn[0], literal.spearman, equal_nan=True)


def test_equal_differences_have_limits_of_no_width() -> None:
    ours = resample_agreement([0.1, 0.2, 0.4], [0.4, 0.5, 0.6], np.array([[3, 0, 0], [1, 2, 0]]))
    assert ours.low == pytest.approx(ours.high, abs=1e-15)


def test_densities_that_are_none_are_refused_in_resamples_too() -> None:
    with pytest.raises(ValueError, match="infinite"):
        resample_agreement([1, 2], [1, math.inf], np.ones((1, 2), np.int64))
