"""Otsu's threshold is that of an exhaustive search; rules hold their published bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import ImageError
from midog.tissue.rules import LEAST_OTSU, MOST_OTSU, RULES, otsu_threshold, require_rule


@given(st.lists(st.integers(0, 255), min_size=1, max_size=12))
def test_otsu_is_the_best_of_all_thresholds(levels: list[int]) -> None:
    values = np.array(levels, np.float32) / 256

    def between(threshold: float) -> float:
        low, high = values[values < threshold], values[values >= threshold]
        if not len(low) or not len(high):
            return 0.0
        return float(len(low) * len(high) * (low.mean() - high.mean()) ** 2)

    best = max(between(bin / 256) for bin in range(257))
    assert between(otsu_threshold(values)) == pytest.approx(best, rel=1e-4, abs=1e-9)


def test_otsu_of_nothing_and_of_one_value_is_zero() -> None:
    assert otsu_threshold(np.zeros(0, np.float32)) == 0
    assert otsu_threshold(np.full(9, 0.5, np.float32)) == 0


@pytest.mark.parametrize(("level", "expected"), [(0.01, LEAST_OTSU), (0.6, MOST_OTSU)])
def test_otsus_threshold_is_kept_within_its_bounds(level: float, expected: float) -> None:
    saturation = np.array([[level, level / 2]], np.float32)
    grey = np.full((1, 2), 0.5, np.float32)
    tissue, threshold = RULES["otsu"].tissue(saturation, grey, np.ones((1, 2), bool))
    assert threshold == expected
    assert tissue.tolist() == [[level > 0.1, level > 0.1]]


def test_px_that_do_not_count_do_not_move_otsus_threshold() -> None:
    saturation = np.array([[0.0, 0.1, 0.1, 1.0]], np.float32)
    grey = np.full((1, 4), 0.5, np.float32)
    counting = np.array([[True, True, True, False]])
    _, threshold = RULES["otsu"].tissue(saturation, grey, counting)
    assert threshold == pytest.approx(LEAST_OTSU)


def test_published_bounds() -> None:
    values = np.array([[0.0699, 0.07, 0.8, 0.801]], np.float32)
    everything = np.ones((1, 4), bool)
    saturated, _ = RULES["saturation"].tissue(values, values, everything)
    assert saturated.tolist() == [[False, True, True, True]]
    dark, _ = RULES["grey"].tissue(values, values, everything)
    assert dark.tolist() == [[True, True, True, False]]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ImageError, match="choose one of"):
        require_rule("hsv")
