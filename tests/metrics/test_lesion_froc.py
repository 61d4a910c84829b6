"""Lesions and their FROC by the rules of CAMELYON16, each against counting one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.metrics.lesion_froc import (
    PLACES,
    SlideHits,
    hits_of,
    lesion_froc,
    lesions_of,
    peaks_of,
)

UM = 7.776


def mask(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Boxes x1 y1 x2 y2 in 200 x 300 px."""
    tumour = np.zeros((200, 300), bool)
    for x1, y1, x2, y2 in boxes:
        tumour[y1:y2, x1:x2] = True
    return tumour


def test_tumour_within_75_um_is_one_lesion():
    # within 37.5 um of each: 4 px of 7.776 um are 31.1 um, 5 are 38.9
    assert len(lesions_of(mask((20, 20, 80, 60), (88, 20, 150, 60)), UM).counted) == 1
    assert len(lesions_of(mask((20, 20, 80, 60), (90, 20, 150, 60)), UM).counted) == 2
    assert len(lesions_of(mask((20, 20, 80, 60), (88, 68, 150, 90)), UM).counted) == 2


def test_holes_are_filled_and_the_reach_belongs_to_the_lesion():
    ring = mask((20, 20, 120, 120)) & ~mask((50, 50, 90, 90))
    labels = lesions_of(ring, UM).labels
    assert labels[70, 70] == 1
    assert labels[70, 20 - 4] == 1
    assert labels[70, 20 - 5] == 0


def test_small_lesions_are_isolated_tumour_cells():
    # a box of 30 px with 4 px around it: its major axis is 4 * sqrt((38^2 - 1) / 12) = 43.9 px
    assert lesions_of(mask((20, 20, 50, 50)), UM).counted.tolist() == [True]
    assert lesions_of(mask((20, 20, 35, 35)), UM).counted.tolist() == [False]
    long_one = mask((20, 20, 22, 60))
    assert lesions_of(long_one, UM).counted.tolist() == [True]
    assert lesions_of(mask(), UM).counted.tolist() == []


def test_each_lesion_has_its_best_hit_and_isolated_cells_are_neither():
    lesions = lesions_of(mask((20, 20, 80, 80), (150, 20, 160, 30), (150, 100, 220, 160)), UM)
    assert lesions.counted.tolist() == [True, False, True]
    points = np.array(
        [[30, 30], [40, 40], [155, 25], [120, 120], [299.5, 199.5], [-1, 5], [400, 5]]
    )
    hits = hits_of(lesions, points, [0.3, 0.7, 0.9, 0.4, 0.2, 0.6, 0.1])
    assert hits.best.tolist() == [0.7, 0]
    assert hits.false_positives.tolist() == [0.4, 0.2, 0.6, 0.1]
    assert hits.has_ignored
    nothing = hits_of(lesions, np.zeros((0, 2)), [])
    assert (nothing.best.tolist(), nothing.false_positives.tolist()) == ([0, 0], [])


def by_hand(slides: list[SlideHits]) -> tuple[list[float], list[float]]:
    """The challenge's curve as its rules are written: all thresholds but the lowest, then none."""
    best = [score for slide in slides for score in slide.best]
    false = [score for slide in slides for score in slide.false_positives]
    ignored = [0.0 for slide in slides if slide.has_ignored]
    thresholds = sorted({*best, *false, *ignored})[1:]
    fp = [sum(score >= one for score in false) / len(slides) for one in thresholds] + [0]
    tp = [sum(score >= one for score in best) / len(best) for one in thresholds] + [0]
    return fp, tp


SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8, 1.0]), max_size=12)


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from([0, 0.2, 0.5, 0.9]), max_size=4), SCORES, st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_the_curve_is_that_of_counting(rows):
    slides = [SlideHits(np.array(a, float), np.array(b, float), c) for a, b, c in rows]
    froc = lesion_froc(slides)
    if not froc.lesions:
        assert math.isnan(froc.score)
        return
    fp, tp = by_hand(slides)
    assert froc.fp_per_slide.tolist() == pytest.approx(fp[::-1])
    assert froc.sensitivity.tolist() == pytest.approx(tp[::-1])
    expected = np.interp(PLACES, fp[::-1], tp[::-1])
    assert froc.sensitivities == pytest.approx(expected.tolist())
    assert froc.score == pytest.approx(expected.mean())


def test_a_perfect_reader_and_one_that_finds_nothing():
    found = SlideHits(np.array([0.9, 0.8, 0.0]), np.array([0.1]))
    assert lesion_froc([found, SlideHits(np.zeros(0), np.zeros(0))]).score == pytest.approx(2 / 3)
    assert lesion_froc([SlideHits(np.zeros(2), np.zeros(0))]).score == 0
    assert math.isnan(lesion_froc([]).score)


@given(st.integers(0, 1000), st.floats(0.3, 4), st.floats(0.3, 4))
def test_peaks_are_the_highest_that_are_free_one_after_the_other(seed, across, down):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 8, (9, 11)).astype(np.float32) / 8
    values[rng.random(values.shape) < 0.2] = np.nan
    rows, columns = peaks_of(values, (across, down), 0.3)
    left, expected = values.copy(), []
    y, x = np.indices(values.shape)
    while not np.isnan(left).all() and np.nanmax(left) >= 0.3:
        row, column = divmod(int(np.nanargmax(left)), left.shape[1])
        expected.append((row, column))
        left[((x - column) / across) ** 2 + ((y - row) / down) ** 2 <= 1] = np.nan
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


def test_a_map_without_values_has_no_peaks():
    rows, columns = peaks_of(np.full((3, 3), np.nan, np.float32), (2, 2), 0.05)
    assert (len(rows), len(columns)) == (0, 0)
