"""The matrix of detector by scanner."""

from __future__ import annotations

from statistics import mean, stdev

import pytest

from midog.studies.scanner_matrix import matrix_of
from midog.studies.table import make_lines
from tests.studies.small import detector, scored


def hits(a: int, b: int):
    """An ROI of A and one of B, of two figures each, so many of them found."""
    found = (0.9, True)
    return scored({"a.tiff": ("A", 2, [found] * a), "b.tiff": ("B", 2, [found] * b)})


def f1_of(found: int) -> float:
    return 2 * found / (found + 2)


def test_a_cell_is_the_mean_over_seeds_of_the_detectors_of_one_part():
    detectors = [
        detector("r", {"t": hits(a, b)}, on, seeds=(seed,), part=f"only_{on}", design="single")
        for seed, on, a, b in ((0, "A", 2, 0), (1, "A", 2, 1), (0, "B", 1, 2), (1, "B", 1, 2))
    ]
    only_a, only_b = matrix_of(make_lines(detectors, ["t"], resamples=20))
    assert (only_a.row, only_a.design, only_a.part, only_a.test) == ("r", "single", "only_A", "t")
    assert (only_b.part, list(only_b.cells)) == ("only_B", ["A", "B"])
    assert [line.seen for line in only_a.cells.values()] == [True, False]
    across = only_a.cells["B"].scores["f1"]
    assert across.value == pytest.approx(mean([f1_of(0), f1_of(1)]))
    assert across.sd == pytest.approx(stdev([f1_of(0), f1_of(1)]))
    assert only_b.cells["A"].scores["f1"].value == pytest.approx(f1_of(1))
    assert (only_a.cells["A"].done, only_a.cells["A"].planned) == (2, 2), "of its own part"


def test_a_gain_is_over_the_same_part_of_the_first_row():
    detectors = [
        detector(row, {"t": hits(a, 0)}, "A", part=part)
        for row, part, a in (("base", "x", 1), ("base", "y", 0), ("r", "x", 2), ("r", "y", 2))
    ]
    rows = matrix_of(make_lines(detectors, ["t"], resamples=0))
    gains = {
        (one.row, one.part): gain.value
        for one in rows
        for key, gain in one.cells["A"].gain.items()
        if key == "f1"
    }
    assert gains == {("r", "x"): pytest.approx(1 - f1_of(1)), ("r", "y"): pytest.approx(1)}


def test_tests_come_before_parts_and_what_is_not_scored_has_no_row():
    tests = {"t": hits(1, 1), "u": hits(1, 1)}
    late = [detector("r", {}, "B", part="late")]
    detectors = [detector("r", tests, "A", part=part) for part in "xy"] + late
    rows = matrix_of(make_lines(detectors, ["t", "u"], resamples=0))
    assert [(one.test, one.part) for one in rows] == [
        ("t", "x"),
        ("t", "y"),
        ("u", "x"),
        ("u", "y"),
    ]
