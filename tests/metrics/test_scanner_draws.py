"""Resamples of scanners: F1, and the oracle's, from the same draws of patients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics import scanner_draws
from midog.metrics.counts import Counts
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.scanner_draws import draw_parts
from midog.metrics.scanner_matrix import build_matrix
from tests.metrics.cases import roi

FAR = (500, 500)
# at a threshold of 0.5 p has its figure and an alarm, and q misses its figure, which scores 0.3
POINTS = [
    roi([(0, 0)], [(0, 0), FAR], [0.9, 0.8]),
    roi([(0, 0)], [(0, 0)], [0.3]),
]
COUNTS = [Counts(1, 1, 0), Counts(0, 0, 1)]


def part_of(patients: list[str], *, matches: bool = True) -> scanner_draws.Tested:
    return scanner_draws.Tested(COUNTS, patients, PooledMatches.of(POINTS) if matches else None)


def test_each_draw_has_f1_and_an_oracle_of_its_own() -> None:
    drawn = draw_parts({"A": part_of(["p", "q"])}, 60, 1)["A"]
    by_draw = {
        (2, 2, 0): (2 / 3, 1.0),  # p twice: at 0.9 its figure alone
        (1, 1, 1): (0.5, 0.8),  # both: at 0.3 all that was detected
        (0, 0, 2): (0.0, 1.0),
    }
    assert {tuple(row) for row in drawn.counts.astype(int).tolist()} == set(by_draw)
    for row, f1, oracle, loss in zip(
        drawn.counts.astype(int).tolist(),
        drawn.f1,
        drawn.oracle_f1,
        drawn.threshold_loss,
        strict=True,
    ):
        assert (f1, oracle) == pytest.approx(by_draw[tuple(row)])
        assert loss == oracle - f1


def test_without_other_thresholds_or_with_one_patient_nothing_is_known() -> None:
    parts = {"A": part_of(["p", "q"], matches=False), "B": part_of(["r", "r"])}
    drawn = draw_parts(parts, 20, 0)
    assert np.isnan(drawn["A"].oracle_f1).all()
    assert not np.isnan(drawn["A"].f1).any()
    assert np.isnan(drawn["B"].oracle_f1).all()
    assert np.isnan(drawn["B"].counts).all()


def test_a_cell_splits_what_f1_lacks() -> None:
    parts = {
        "A": part_of(["p", "q"]),
        "B": part_of(["r", "s"]),
        "C": part_of(["t", "u"], matches=False),
    }
    matrix = build_matrix([("a", ("A",), parts)], resamples=50)
    cells = matrix.rows[0].cells
    for cell in (cells["A"], cells["B"]):
        assert cell.f1.value == 0.5
        assert cell.oracle_f1.value == pytest.approx(0.8)
        assert cell.threshold_loss.value == pytest.approx(0.3)
        assert cell.ranking_loss == pytest.approx(0.2)
        assert cell.oracle_threshold == pytest.approx(0.15)
        assert cell.at_floor
        assert cell.threshold_loss.low <= 0.301 <= cell.threshold_loss.high
    assert math.isnan(cells["C"].oracle_f1.value)
    assert matrix.own_threshold_loss.value == pytest.approx(0.3)
    assert matrix.other_threshold_loss.value == pytest.approx(0.3), "of B; C is not known"
