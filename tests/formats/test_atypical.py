"""Kinds of figures: at the threshold, and where nobody looked."""

from __future__ import annotations

import numpy as np

from midog.formats.atypical import AtypicalScores


def test_a_figure_of_the_threshold_is_atypical_and_no_look_is_no_kind() -> None:
    own = AtypicalScores(np.array([0.7, np.nan, 0.69, 1], np.float32), 0.7)
    assert own.kinds == ["atypical", "", "normal", "atypical"]
    assert own.written == [0.7, None, 0.69, 1.0]
    assert own.are_atypical.tolist() == [True, False, False, True]
    nothing = AtypicalScores(np.zeros(0, np.float32), 0.5)
    assert (nothing.kinds, nothing.written) == ([], [])
