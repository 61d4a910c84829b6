"""No near pair is lost, none comes twice, none is of two ROIs, and not many are far."""

from __future__ import annotations

import numpy as np
import pytest

from midog.metrics.near_pairs import blocks_of, near_counts, near_pairs

REACH = 0.0075
NONE = np.zeros((0, 2)), np.zeros(0, np.int64)


def scattered(
    random: np.random.Generator, size: int, rois: int, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    points = (
        random.choice([random.uniform(-1, 1, (size, 2)), random.integers(-3, 4, (size, 2)) / 3])
        * scale
    )
    return points, random.integers(0, rois, size)


@pytest.mark.parametrize("scale", [REACH / 100, REACH, 10 * REACH, 1, 30, 100, 1e9])
def test_every_near_pair_comes_once(scale) -> None:
    for seed in range(60):
        random = np.random.default_rng(seed)
        (first, first_roi), (second, second_roi) = (
            scattered(random, 40, 3, scale) for _ in range(2)
        )
        offset = random.choice([-REACH, 0, REACH], (40, 2))
        second = np.where(
            random.random((40, 1)) < 0.5, first[random.permutation(40)] + offset, second
        )
        at_first, at_second = near_pairs(first, first_roi, second, second_roi, REACH * (1 + 1e-9))
        pairs = list(zip(at_first.tolist(), at_second.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        assert (first_roi[at_first] == second_roi[at_second]).all()
        near = (np.abs(first[:, None] - second[None]) <= REACH).all(axis=2) & (
            first_roi[:, None] == second_roi
        )
        assert set(zip(*map(np.ndarray.tolist, np.nonzero(near)), strict=True)) <= set(pairs)


def test_few_pairs_are_far() -> None:
    random = np.random.default_rng(0)
    (first, first_roi), (second, second_roi) = (
        scattered(random, 3000, 2, 30 * REACH) for _ in range(2)
    )
    at_first, at_second = near_pairs(first, first_roi, second, second_roi, REACH)
    assert np.abs(first[at_first] - second[at_second]).max() < 6 * REACH


def test_the_last_of_many_rois_is_its_own() -> None:
    same_place = np.zeros((3, 2))
    at_first, at_second = near_pairs(
        same_place, np.array([0, 1, 2**20]), same_place, np.array([2**20, 0, 5]), REACH
    )
    assert sorted(zip(at_first.tolist(), at_second.tolist(), strict=True)) == [(0, 1), (2, 0)]


def test_nothing_is_near_nothing() -> None:
    some = np.zeros((2, 2)), np.zeros(2, np.int64)
    for first, second in ((NONE, NONE), (NONE, some), (some, NONE)):
        assert [len(each) for each in near_pairs(*first, *second, REACH)] == [0, 0]


def test_counts_are_those_of_the_pairs_and_blocks_hold_at_most_so_many() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 0.2, (60, 2)), rng.uniform(0, 0.2, (500, 2))
    rois = rng.integers(0, 3, 60), rng.integers(0, 3, 500)
    at, _ = near_pairs(first, rois[0], second, rois[1], 0.01)
    counts = near_counts(first, rois[0], second, rois[1], 0.01)
    assert np.array_equal(counts, np.bincount(at, minlength=60))
    for most in (1, 7, 50, 10**6):
        blocks = list(blocks_of(counts, most))
        assert [number for block in blocks for number in range(60)[block]] == list(range(60))
        assert all(counts[block].sum() <= most or block.stop - block.start == 1 for block in blocks)
    assert list(blocks_of(counts[:0])) == []
