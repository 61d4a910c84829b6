"""The result of a stage: its rate, its share of the limit, and its JSON."""

from __future__ import annotations

import json

import numpy as np

from midog.bench.measured import measured, six_digits


def test_the_rate_is_the_median_with_quartiles():
    result = measured("work", "patches/s", np.array([10.0, 20.0, 30.0, 40.0, 50.0]))
    assert (result.rate, result.spread, result.rounds) == (30.0, (20.0, 40.0), 5)
    assert (result.limit, result.limit_share) == ("", None)


def test_the_share_of_the_limit():
    result = measured("work", "patches/s", np.array([30.0]), limit=("copying", 120.0))
    assert (result.limit, result.limit_share) == ("copying", 0.25)


def test_the_tree_is_json_with_what_is_beside_it():
    other = measured("other", "patches/s", np.array([1 / 3]), detail={"ms": 2 / 3})
    tree = measured("work", "patches/s", np.array([30.0])).with_also(other).to_dict()
    tree = json.loads(json.dumps(tree, allow_nan=False))
    assert tree["rate"] == 30.0
    assert tree["also"][0]["rate"] == 0.333333
    assert tree["also"][0]["detail"] == {"ms": 0.666667}
    assert tree["also"][0]["also"] == []


def test_floats_have_six_digits_wherever_they_are():
    assert six_digits({"a": [1 / 3, 2], "b": "c"}) == {"a": [0.333333, 2], "b": "c"}
