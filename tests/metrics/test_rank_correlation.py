"""Spearman's rho and the exact p of few pairs, and what has no correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from midog.metrics import rank_correlation as module
from midog.metrics.rank_correlation import RankCorrelation, rank_correlation

NAN = math.nan


def equal(a: object, b: object) -> bool:
    """Equal, NaN and all."""
    return repr(a) == repr(b)


pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=6)


def varies(both: Sequence[tuple[float, float]]) -> bool:
    return all(len(set(values)) > 1 for values in zip(*both, strict=True))


@settings(max_examples=50)
@given(pairs.filter(varies))
def test_rho_is_spearmans_and_p_that_of_all_orders_ties_and_all(both):
    a, b = np.array(both, float).T
    outcome = rank_correlation(a, b)
    assert outcome.n == len(both)
    assert outcome.rho == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert outcome.p == pytest.approx(exact_p(a, b), abs=1e-12)


@pytest.mark.parametrize("decimals", [0, 3], ids=["ties", "no ties"])
def test_up_to_8_pairs_p_is_exact(decimals):
    a, b = np.random.default_rng(1).uniform(0, 4, (2, 8)).round(decimals)
    assert varies(list(zip(a, b, strict=True)))
    assert rank_correlation(a, b).p == pytest.approx(exact_p(a, b), abs=1e-12)


def exact_p(a: np.ndarray, b: np.ndarray) -> float:
    """Of scipy's permutation test: how often a |rho| is at least as large."""
    ranks = stats.rankdata(b)

    def strength(x: np.ndarray, axis: int = -1) -> np.ndarray:
        x = x - x.mean(axis=axis, keepdims=True)
        return np.abs((x * (ranks - ranks.mean())).sum(axis=axis))

    test = stats.permutation_test(
        (stats.rankdata(a),),
        strength,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=math.factorial(len(a)),
        vectorized=True,
    )
    return float(test.pvalue)


def test_over_so_many_pairs_p_is_drawn_and_close_to_that_of_all_orders(monkeypatch):
    a, b = np.random.default_rng(2).normal(size=(2, 6))
    exact = rank_correlation(a, b)
    monkeypatch.setattr(module, "ALL_ORDERS_TO", 5)
    drawn = rank_correlation(a, b)
    assert drawn == rank_correlation(a, b), "the same at every call"
    assert (drawn.rho, drawn.n) == (exact.rho, exact.n)
    assert 0 < abs(drawn.p - exact.p) < 4 * math.sqrt(exact.p * (1 - exact.p) / 9999)


def test_p_is_never_0():
    values = list(range(12))
    assert rank_correlation(values, values) == RankCorrelation(pytest.approx(1.0), 1 / 10000, 12)
    assert rank_correlation(values[:3], values[2::-1]) == RankCorrelation(
        pytest.approx(-1.0), 2 / 6, 3
    )


def test_pairs_with_a_nan_are_left_out():
    a, b = [1.0, 2.0, NAN, 3.0, 4.0, 9.0], [2.0, 1.0, 0.0, 4.0, 3.0, NAN]
    assert rank_correlation(a, b) == rank_correlation([1, 2, 3, 4], [2, 1, 4, 3])


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [
        ([], [], 0),
        ([1, 2], [3, 4], 2),
        ([1, 2, NAN], [3, 4, 5], 2),
        ([1, 1, 1], [1, 2, 3], 3),
        ([1, 2, 3], [0] * 3, 3),
    ],
)
def test_fewer_than_3_pairs_or_equal_values_have_no_correlation(a, b, n):
    assert equal(rank_correlation(a, b), RankCorrelation(NAN, NAN, n))
