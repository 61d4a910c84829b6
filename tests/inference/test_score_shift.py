"""Scores moved in their log odds."""

from __future__ import annotations

import numpy as np
import pytest

from midog.inference.score_shift import lowered, shifted


def test_a_shift_is_of_the_log_odds_and_keeps_order_and_ends():
    scores = np.array([0, 0.05, 0.5, 0.99, 1], np.float32)
    moved = shifted(scores, 1.5)
    assert moved.dtype == np.float32
    odds = np.log(moved[1:4] / (1 - moved[1:4])) - np.log(scores[1:4] / (1 - scores[1:4]))
    np.testing.assert_allclose(odds, 1.5, atol=1e-4)
    assert moved[0] == 0
    assert moved[-1] == 1
    assert (np.diff(moved) > 0).all()
    np.testing.assert_allclose(shifted(moved, -1.5), scores, atol=1e-6)
    assert shifted(scores[:0], 1).shape == (0,)


def test_a_floor_is_lowered_by_what_raises_scores_alone():
    assert lowered(0.05, 0.0) == 0.05
    assert lowered(0.05, -3.0) == 0.05
    low = lowered(0.05, 2.0)
    assert float(shifted(np.array([low], np.float32), 2.0)[0]) == pytest.approx(0.05, abs=1e-6)
