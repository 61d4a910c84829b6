"""Rows and columns of a domain-shift report: their order and their names."""

from __future__ import annotations

import pytest

from midog.report.shift_rows import listed, model_names, ordered_rows, ordered_scanners
from tests.report.shifts import NAMES, build_shift, part_of, result_of

XR, S360, CS2 = NAMES[:3]


def test_rows_are_models_of_one_scanner_then_those_without_one_in_the_order_of_the_columns():
    parts = {name: part_of(5, 1, 1) for name in (CS2, XR, S360)}
    trained = {
        "all": (XR, S360, CS2),
        "-s": (CS2, XR),
        "-c": (XR, S360),
        "s": (S360,),
        "-x": (S360, CS2),
        "c": (CS2,),
    }
    matrix = result_of(
        [(name, train_on, parts) for name, train_on in trained.items()], NAMES[:3]
    ).matrix
    assert ordered_scanners(matrix) == [CS2, XR, S360]
    assert [row.name for row in ordered_rows(matrix)] == ["c", "s", "-c", "-x", "-s", "all"]


def test_of_two_scanners_a_model_of_one_is_not_taken_for_one_without_the_other():
    parts = {XR: part_of(5, 1, 1), S360: part_of(5, 1, 1)}
    matrix = result_of(
        [("s", (S360,), parts), ("x", (XR,), parts), ("both", (XR, S360), parts)], NAMES[:2]
    ).matrix
    assert [row.name for row in ordered_rows(matrix)] == ["x", "s", "both"]


def test_a_model_of_a_scanner_that_was_not_tested_is_the_last_of_its_kind():
    parts = {S360: part_of(5, 1, 1)}
    matrix = result_of([("x", (XR,), parts), ("s", (S360,), parts)], NAMES[:2]).matrix
    assert [row.name for row in ordered_rows(matrix)] == ["s", "x"]


def test_a_scanner_that_was_trained_on_and_not_tested_has_no_column():
    matrix = result_of([("x", (XR,), {S360: part_of(5, 1, 1)})], NAMES[:2]).matrix
    assert ordered_scanners(matrix) == [S360]


def test_models_are_named_by_what_they_were_trained_on():
    names = model_names(build_shift().matrix)
    assert names["only_0"] == XR
    assert names["without_2"] == f"all but {CS2}"


def test_two_models_of_one_scanner_are_told_apart():
    parts = {XR: part_of(5, 1, 1)}
    names = model_names(result_of([("a", (XR,), parts), ("b", (XR,), parts)], [XR]).matrix)
    assert names == {"a": f"{XR} (a)", "b": f"{XR} (b)"}


@pytest.mark.parametrize(
    ("words", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_lists(words, text):
    assert listed(words) == text
