"""The columns: each is a measure that exists, under a name of its own."""

from __future__ import annotations

import pytest

from midog.evaluation.measures import MEASURES
from midog.studies.columns import COLUMNS, column_of


def test_every_column_is_a_measure_and_has_a_header_of_its_own():
    assert all(column.measure in MEASURES for column in COLUMNS.values())
    assert len({column.header for column in COLUMNS.values()}) == len(COLUMNS)


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("val F1", "f1"),
        ("val F1 transferred", "f1_transferred"),
        ("val ap", "ap"),
        ("test F1", ""),
        ("F1", ""),
        ("val", ""),
    ],
)
def test_val_and_a_header_name_a_column(by, key):
    assert column_of(by) == key
