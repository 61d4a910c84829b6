"""Scored ROIs as arrays: their counts at any threshold, and the file that keeps them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import DetectionsError
from midog.metrics.counts import Counts, counts_at
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.scored_rois import ScoredArrays, joined, read_arrays, write_arrays
from tests.metrics.cases import crowded_rois


def arrays(rois) -> ScoredArrays:
    names = tuple(f"{number}.tiff" for number in range(len(rois)))
    scanners = tuple("AB"[number % 2] for number in range(len(rois)))
    areas = np.array([math.nan, *np.arange(1.0, len(rois))][: len(rois)])
    return ScoredArrays(names, scanners, names, areas, PooledMatches.of(rois), 0.4, 12.0)


def same(a: ScoredArrays, b: ScoredArrays) -> bool:
    def plain(one: ScoredArrays):
        matches = [value.tolist() for value in vars(one.matches).values()]
        words = (one.names, one.scanners, one.patients, one.threshold, one.ms_per_megapixel)
        return repr((words, one.areas_mm2.tolist(), matches))

    return plain(a) == plain(b)


@given(st.lists(crowded_rois(), min_size=1, max_size=4), st.integers(0, 10))
def test_counts_at_any_threshold_are_those_of_the_challenge(rois, tenths):
    at = arrays(rois).at(tenths / 10)
    assert at.pooled == counts_at(rois, tenths / 10)
    assert list(at.counts) == [counts_at([roi], tenths / 10) for roi in rois]


@given(st.lists(crowded_rois(), min_size=2, max_size=5))
def test_what_is_taken_apart_is_joined_again(rois):
    whole = arrays(rois)
    parts = [whole.select([number]) for number in range(len(rois))]
    assert same(joined(parts), whole)


def test_a_file_gives_back_equal_arrays(tmp_path):
    whole = arrays([crowded_rois_once(), crowded_rois_once()])
    write_arrays(tmp_path / "a.npz", whole)
    assert same(read_arrays(tmp_path / "a.npz"), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def crowded_rois_once():
    from midog.metrics.points import RoiPoints

    return RoiPoints([(0.0, 0.0), (0.1, 0.1)], [(0.0, 0.001), (0.5, 0.5)], [0.9, 0.3])


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no zip"])
def test_a_damaged_file_is_one_line(tmp_path, spoil):
    write_arrays(tmp_path / "a.npz", arrays([crowded_rois_once()]))
    (tmp_path / "a.npz").write_bytes(spoil((tmp_path / "a.npz").read_bytes()))
    with pytest.raises(DetectionsError, match=r"a\.npz is damaged.*delete it"):
        read_arrays(tmp_path / "a.npz")


def test_nothing_counts_above_all_scores():
    assert arrays([crowded_rois_once()]).at(1.0).pooled == Counts(0, 0, 2)
