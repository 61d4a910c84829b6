"""Numbers are written in the fewest digits that name them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.formats.shared import shortest, spreadsheet_cell


@given(st.floats(0, 1, width=32))
def test_the_shortest_writing_names_the_same_float32(value: float) -> None:
    assert np.float32(shortest(np.float32(value))) == np.float32(value)
    assert len(str(shortest(np.float32(value)))) <= len(str(value))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_begins_as_a_formula_has_a_quote_in_front(start) -> None:
    text = f"{start}cmd|'/c calc'!A1"
    assert spreadsheet_cell(text) == f"'{text}"


def test_other_texts_stay_and_bytes_that_are_no_text_are_escaped() -> None:
    for text in ("", "001.tiff", "a=b", "'=x", "\u00e4"):
        assert spreadsheet_cell(text) == text
    assert spreadsheet_cell("a\udcff") == "a\\udcff"
