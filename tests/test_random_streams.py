"""Random streams: each draw has its own numbers, and they are those of every release."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from midog.random_streams import (
    PURPOSES,
    STREAMS,
    generator,
    generators,
    number_of_file,
    seed_of_names,
    seeded,
    split_generator,
)
from tests.test_house import PACKAGE


def test_generators_in_a_row_are_those_of_the_draws_one_by_one():
    for index, rng in zip(
        (5, 0, 2**40), generators(2**63 - 1, "augment", 399, (5, 0, 2**40)), strict=True
    ):
        alone = generator(2**63 - 1, "augment", 399, index)
        assert rng.integers(17) == alone.integers(
            17
        )  # leaves half of a number over, which the next must not see
        assert rng.random(9).tolist() == alone.random(9).tolist()
        assert rng.integers(17) == alone.integers(17)


def test_streams_seeds_epochs_and_indices_differ():
    draws = {
        generator(seed, stream, epoch, index).random()
        for seed in (0, 1)
        for stream in STREAMS
        for epoch in (0, 1)
        for index in (0, 1)
    }
    assert len(draws) == 32


@pytest.mark.parametrize("key", [(0,), (7,), (7, 1, 3), (2**63 - 1, 0)])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_seeded_generator_is_numpys_of_its_key(purpose, key):
    plain = np.random.default_rng(key[0] if len(key) == 1 else list(key))
    assert (
        seeded(purpose, *key).integers(0, 2**62, 5).tolist() == plain.integers(0, 2**62, 5).tolist()
    )


def test_numbers_are_those_of_every_release():
    assert generator(7, "train", 3, 5).integers(0, 1000, 4).tolist() == [43, 778, 105, 711]
    assert seeded("bootstrap", 7).integers(0, 1000, 4).tolist() == [944, 625, 684, 897]
    assert split_generator([7, 1]).integers(0, 1000, 4).tolist() == [231, 852, 484, 403]
    assert seed_of_names(7, ["b", "a"]) == seed_of_names(7, ["a", "b"]) == 2641918099
    assert number_of_file(7, "001.tiff", "x0") == 5926320130201123401


def test_no_other_module_makes_a_generator():
    makers = {"default_rng", "Philox", "SeedSequence", "PCG64", "MT19937", "RandomState"}
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "random_streams.py"]
    for path in modules:
        names = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
        }
        assert not names & makers, path
