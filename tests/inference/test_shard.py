"""Shards divide a list wholly, none of it twice, and alike at every start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import ConfigError
from midog.inference.shard import MOST_SHARDS, Shard


@given(st.integers(0, 60), st.integers(1, 70))
def test_every_image_is_in_one_shard_and_shards_are_equal(images, count):
    items = list(range(images))
    shares = [Shard(number, count).of(items) for number in range(1, count + 1)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(share == sorted(share) for share in shares)


def test_neighbours_are_in_different_shards():
    assert Shard.parse("3/8").of(list(range(1, 21))) == [3, 11, 19]
    assert Shard.parse(" 1/1 ").of("ab") == ["a", "b"]
    assert str(Shard(3, 8)) == "3/8"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0/8", "shard 0/8 is out of range"),
        ("9/8", "shard 9/8 is out of range"),
        ("1/0", "out of range"),
        (f"1/{MOST_SHARDS + 1}", "out of range"),
        ("3", "'3' is not K/N"),
        ("3/8/2", "is not K/N"),
        ("-1/8", "is not K/N"),
        ("1.5/8", "is not K/N"),
        ("", "is not K/N"),
        ("٣/٨", "is not K/N"),
        ("1/99999999999999999999", "is not K/N"),
    ],
)
def test_what_is_no_shard_is_one_line(text, words):
    with pytest.raises(ConfigError) as error:
        Shard.parse(text)
    assert words in str(error.value)
