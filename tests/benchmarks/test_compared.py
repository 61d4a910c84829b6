"""Ratios: of medians, over 1 where ours is quicker."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.compare import rows
from benchmarks.comparisons.compared import compare

RATES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=9)


def pair(ours: list[float], plain: list[float], **more):
    return compare("work", "plainly", "patches/s", np.array(ours), np.array(plain), **more)


def test_the_ratio_is_that_of_the_medians():
    compared = pair([10.0, 30.0, 1000.0], [1.0, 2.0, 3.0])
    assert (compared.ours, compared.plain, compared.ratio, compared.rounds) == (30.0, 2.0, 15.0, 3)


def test_the_spread_is_the_quartiles_of_the_rounds():
    compared = pair([10.0, 20.0, 30.0, 40.0, 50.0], [10.0] * 5)
    assert compared.spread == (2.0, 4.0)


@given(RATES)
def test_equal_rates_have_a_ratio_of_one(rates):
    compared = pair(rates, rates)
    assert compared.ratio == 1.0
    assert compared.spread == (1.0, 1.0)


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.tuples(*[st.lists(st.floats(0.01, 1e6), min_size=n, max_size=n)] * 2)
    )
)
def test_swapping_the_sides_turns_the_ratio_round(sides):
    assert pair(*sides).ratio == pytest.approx(1 / pair(*sides[::-1]).ratio)


def test_the_share_of_the_limit():
    assert pair([30.0], [1.0], limit=("copying", 120.0)).limit_share == 0.25
    assert pair([30.0], [1.0]).limit_share is None


def test_the_tree_is_json_with_what_is_beside_it():
    tree = pair([30.0], [1.0]).with_also(pair([1 / 3], [1.0])).to_dict()
    tree = json.loads(json.dumps(tree, allow_nan=False))
    assert tree["ratio"] == 30.0
    assert tree["spread"] == [30.0, 30.0]
    assert math.isclose(tree["also"][0]["ours"], 0.333333)
    assert tree["also"][0]["also"] == []


def test_a_side_that_did_not_fit_has_no_ratio():
    compared = pair([30.0], [math.nan], limit=("copying", 120.0))
    assert compared.limit_share == 0.25
    assert math.isnan(compared.ratio)
    row = next(rows("step", compared.to_dict()))
    assert row[1:6] == ["30", "did not fit", "patches/s", "-", "-"]
