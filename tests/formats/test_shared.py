"""Numbers are written in the fewest digits that name them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from midog.formats.shared import shortest


@given(st.floats(0, 1, width=32))
def test_the_shortest_writing_names_the_same_float32(value: float) -> None:
    assert np.float32(shortest(np.float32(value))) == np.float32(value)
    assert len(str(shortest(np.float32(value)))) <= len(str(value))
