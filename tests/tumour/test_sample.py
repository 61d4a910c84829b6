"""Windows lie on their grid, wholly in the slide, and are labelled by their middles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import DataError
from midog.mpp import Mpp
from midog.tissue.kinds import TISSUE
from midog.tissue.mask import TissueMask
from midog.tissue.qupath_areas import Area
from midog.tumour.read import truth_of_areas
from midog.tumour.sample import WindowRule, Windows, grid, sample_windows
from midog.tumour.truth import no_tumour

SIZE = (1000, 800)
SQUARE = np.array([(210, 210), (590, 210), (590, 590), (210, 590)], float)
TRUTH = truth_of_areas([Area((SQUARE,), False)], SIZE, "square")
RULE = WindowRule(side=40, mpp=1.0, stride=20, centre=10, per_slide=10**6, ratio=10**6)


def tissue(left: int) -> TissueMask:
    """All tissue from x = left on, px of 10."""
    kinds = np.zeros((80, 100), np.uint8)
    kinds[:, left // 10 :] = TISSUE
    return TissueMask(kinds, (0.1, 0.1), SIZE, Mpp(0.5, 0.5), "drawn")


def sampled(rule: WindowRule = RULE, left: int = 0, seed: int = 0) -> Windows:
    return sample_windows(TRUTH, tissue(left), 0.5, rule, seed)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 90), st.integers(9, 90))
def test_the_grid_lies_in_the_slide(width: int, height: int, side: int, stride: int) -> None:
    centres = grid((width, height), side, stride)
    assert ((centres - side / 2 >= 0) & (centres + side / 2 <= (width, height))).all()
    if min(width, height) >= side:
        last = centres.max(axis=0) + side / 2 + stride
        assert (last > (width, height)).all()
        assert len(np.unique(centres, axis=0)) == len(centres)
    else:
        assert not len(centres)


def test_a_grid_without_end_is_refused() -> None:
    with pytest.raises(DataError, match="over 20,000,000; choose a larger stride"):
        grid((100_000, 100_000), 8, 1)


def test_the_middle_decides_the_label() -> None:
    windows = sampled()
    x, y = windows.centres.T
    # a window of 40 px of 1 um is 80 px wide, its middle 20
    inside = (x > 200) & (x < 600) & (y > 200) & (y < 600)
    np.testing.assert_array_equal(windows.labels == 1, inside)
    assert windows.labels.any()
    assert (windows.shares[windows.labels == 0, 0] > 0).any()  # its rim may be tumour
    assert windows.counts == {
        "windows": 24 * 19,
        "tumour": int(inside.sum()),
        "normal": int((~inside).sum()),
        "too little tumour": 0,
        "too little tissue": 0,
    }


def test_too_little_tumour_is_neither() -> None:
    strict = WindowRule(**{**vars(RULE), "centre": 40, "min_tumour": 0.6})
    windows = sampled(strict)
    shares = windows.shares[:, 0]
    assert (shares[windows.labels == 1] >= 0.6).all()
    assert (shares[windows.labels == 0] == 0).all()
    assert windows.counts["too little tumour"] > 0


def test_normal_windows_need_tissue_and_tumour_does_not() -> None:
    windows = sampled(left=380)
    normal, tumour = windows.labels == 0, windows.labels == 1
    assert windows.shares[normal, 1].min() >= 0.75
    assert windows.centres[tumour, 0].min() < 380
    assert windows.centres[tumour, 0].min() > 380 - 40
    assert windows.counts["too little tissue"] > 0
    everywhere = sample_windows(TRUTH, None, 0.5, RULE, 0)
    assert (everywhere.shares[:, 1] == 1).all()


def test_classes_are_balanced() -> None:
    even = WindowRule(**{**vars(RULE), "ratio": 1.0})
    windows = sampled(even)
    assert (windows.labels == 1).sum() == (windows.labels == 0).sum()
    few = WindowRule(**{**vars(RULE), "ratio": 0.5, "per_slide": 30})
    assert np.bincount(sampled(few).labels).tolist() == [15, 30]
    normal = sample_windows(no_tumour(SIZE), None, 0.5, few, 0)
    assert np.bincount(normal.labels).tolist() == [30]
    rows = windows.centres[:, ::-1]
    assert (np.diff(np.lexsort(rows.T[::-1])) == 1).all()


def test_the_seed_decides_shifts_and_draws() -> None:
    rule = WindowRule(**{**vars(RULE), "ratio": 1.0, "shift": 9})
    first, again, other = (sampled(rule, seed=seed).centres for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert ((first >= 40) & (first <= np.array(SIZE) - 40)).all()
    off = np.abs((first - 40) % 40)
    assert np.minimum(off, 40 - off).max() <= 18.5
    assert np.minimum(off, 40 - off).max() > 9


def test_a_middle_larger_than_the_window_is_an_error() -> None:
    with pytest.raises(DataError, match="the middle of 50 px is larger than windows of 40 px"):
        WindowRule(side=40, centre=50)
