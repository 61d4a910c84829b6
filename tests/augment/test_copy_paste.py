"""Copy-paste: what its numbers mean; where figures go is `pasted`."""

from __future__ import annotations

import numpy as np

from midog.augment.copy_paste import COPY_PASTE, PLACES, drawn_pastes
from tests.augment.reference_pixels import Painted


def test_numbers_are_share_choice_turn_and_places():
    figures = COPY_PASTE.references(Painted(), 0.5)
    numbers = np.random.default_rng(0).random((400, COPY_PASTE.draws), np.float32)
    drawn = drawn_pastes(numbers, 0.3, figures)
    assert 0.2 < drawn["pasted"].mean() < 0.4
    assert set(drawn["turns"].tolist()) == set(range(8))
    assert drawn["places"].shape == (400, PLACES, 2)
    assert np.array_equal(drawn["places"][7, 2], numbers[7, 7:9])
    assert COPY_PASTE.describe(figures) == {"figures": {"A": 2, "B": 1}}
