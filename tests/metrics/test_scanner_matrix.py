"""The scanner matrix: counts and F1 by hand, paired draws of patients, what is undefined, and
losses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.metrics import scanner_draws, scanner_matrix
from midog.metrics.bootstrap import Interval
from midog.metrics.counts import Counts
from midog.metrics.scanner_matrix import (
    PUBLISHED_F1,
    PUBLISHED_SCANNERS,
    Matrix,
    build_matrix,
    losses,
)

NAN = math.nan
EMPTY = (0, 0, 0)


def of_rois(
    *counts: tuple[int, int, int], patients: Sequence[str] | None = None
) -> scanner_draws.Tested:
    """ROIs with these tp, fp, fn; each its own patient unless said."""
    return scanner_draws.Tested(
        [Counts(*each) for each in counts],
        patients or [f"p{number}" for number in range(len(counts))],
    )


def equal(a: object, b: object) -> bool:
    """Equal, NaN and all."""
    return repr(a) == repr(b)


def unknown(value: float) -> Interval:
    return Interval(value, NAN, NAN)


def is_undefined(each: Interval) -> bool:
    return math.isnan(each.value) and math.isnan(each.low) and math.isnan(each.high)


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    """Two models of one scanner and one of both, on three scanners of two ROIs each."""
    a = {
        "A": of_rois((3, 1, 0), (1, 0, 1)),
        "B": of_rois((1, 2, 3), (0, 0, 2)),
        "C": of_rois((0, 3, 1), (1, 0, 0)),
    }
    b = {
        "A": of_rois((2, 0, 1), (0, 1, 2)),
        "B": of_rois((4, 0, 0), (1, 1, 1)),
        "C": of_rois((0, 0, 1), (0, 2, 1)),
    }
    both = {
        "A": of_rois((3, 0, 0), (2, 0, 0)),
        "B": of_rois((4, 0, 0), (2, 0, 0)),
        "C": of_rois((1, 1, 0), (0, 0, 1)),
    }
    return build_matrix(
        [("a", ("A",), a), ("b", ("B",), b), ("both", ("A", "B"), both)], resamples=200
    )


# --- the matrix by hand


def test_a_cell_holds_the_pooled_counts_of_a_scanner_and_their_f1(matrix):
    cell = matrix.rows[0].cells["B"]
    assert (cell.seen, cell.rois, cell.counts) == (False, 2, Counts(1, 2, 5))
    assert cell.f1.value == 2 / 9
    assert matrix.rows[0].cells["A"].seen
    assert [row.cells["A"].f1.value for row in matrix.rows] == [8 / 10, 4 / 8, 1.0]


def test_seen_and_unseen_pool_the_scanners_and_the_drop_is_their_difference(matrix):
    a, b, both = matrix.rows
    assert (a.seen.value, a.unseen.value) == (8 / 10, 2 * 2 / (2 * 2 + 5 + 6))
    assert a.drop.value == a.seen.value - a.unseen.value
    assert (b.seen.value, b.unseen.value) == (10 / 12, 2 * 2 / (2 * 2 + 3 + 5))
    assert (both.seen.value, both.unseen.value) == (1.0, 2 / 4)


def test_best_and_worst_scanner_of_a_model(matrix):
    assert [(row.best, row.worst) for row in matrix.rows] == [("A", "B"), ("B", "C"), ("B", "C")]


def test_the_diagonal_is_the_mean_of_models_of_one_scanner_on_it(matrix):
    assert matrix.on_diagonal.value == pytest.approx((8 / 10 + 10 / 12) / 2, abs=1e-15)
    off = [
        2 / 9,
        2 / 6,
        4 / 8,
        0.0,
    ]  # a on B, C; b on A, C; the model of both counts on neither side
    assert matrix.off_diagonal.value == pytest.approx(np.mean(off), abs=1e-15)
    assert matrix.gap.value == pytest.approx(
        matrix.on_diagonal.value - matrix.off_diagonal.value, abs=1e-15
    )


# --- intervals


def test_intervals_are_the_percentiles_of_patients_drawn_within_each_scanner(monkeypatch):
    """Three draws of two patients, written out."""
    monkeypatch.setattr(
        scanner_draws,
        "weights_in_parts",
        lambda patients, resamples, seed: [np.array([[2, 0], [0, 2], [1, 1]])],
    )
    rois = {"A": [(3, 1, 0), (1, 0, 1)], "B": [(1, 2, 3), (1, 0, 2)], "C": [(0, 3, 1), (2, 0, 0)]}
    parts = {
        name: of_rois(*counts, patients=[f"{name}1", f"{name}2"]) for name, counts in rois.items()
    }
    made = build_matrix([("a", ("A",), parts)], resamples=3)
    (row,) = made.rows

    def limits(samples: list[float]) -> list[float]:
        return pytest.approx(list(np.quantile(samples, [0.025, 0.975])), abs=1e-15)

    on_a = [12 / 14, 4 / 6, 8 / 10]
    on_b = [4 / 14, 4 / 8, 4 / 11]
    on_c = [0 / 8, 8 / 8, 4 / 8]
    unseen = [4 / 22, 12 / 16, 8 / 19]
    drop = [seen - other for seen, other in zip(on_a, unseen, strict=True)]
    for each, samples in (
        (row.cells["B"].f1, on_b),
        (row.cells["C"].f1, on_c),
        (row.seen, on_a),
        (row.unseen, unseen),
        (row.drop, drop),
        (made.on_diagonal, on_a),
        (made.off_diagonal, [(b + c) / 2 for b, c in zip(on_b, on_c, strict=True)]),
        (made.gap, [a - (b + c) / 2 for a, b, c in zip(on_a, on_b, on_c, strict=True)]),
    ):
        assert [each.low, each.high] == limits(samples)


PARTS = {
    "A": of_rois((3, 1, 0), (1, 0, 1), (0, 2, 2), (5, 1, 0), patients=["p", "q", "r", "p"]),
    "B": of_rois((1, 2, 3), (1, 0, 2), (4, 0, 0)),
}


def test_models_are_tested_on_the_same_draws_so_that_equal_ones_have_no_gap():
    made = build_matrix([("a", ("A",), PARTS), ("b", ("B",), PARTS)], resamples=100)
    assert made.gap == Interval(0.0, 0.0, 0.0)
    assert made.on_diagonal == made.off_diagonal
    assert made.on_diagonal.low < made.on_diagonal.value < made.on_diagonal.high
    for scanner in PARTS:
        assert made.rows[0].cells[scanner].f1 == made.rows[1].cells[scanner].f1


def test_the_same_patients_are_drawn_whatever_other_scanners_and_models_there_are():
    alone = build_matrix([("a", ("A",), {"A": PARTS["A"]})], resamples=100)
    more = build_matrix(
        [("b", ("B",), dict(reversed(PARTS.items()))), ("a", ("A",), PARTS)], resamples=100
    )
    assert alone.rows[0].cells["A"] == more.rows[1].cells["A"]
    assert alone.rows[0].cells["A"] == dataclasses.replace(more.rows[0].cells["A"], seen=True)
    assert alone.rows[0].seen == more.rows[1].seen


def test_patients_of_several_scanners_are_drawn_once_for_all_of_them():
    """A and C share p and q, B is of its own; so what is found of a patient on A and on C comes
    together."""
    own = [(3, 1, 0), (1, 0, 1), (0, 2, 2)]
    parts = {
        "A": of_rois(*own, patients=["p", "q", "r"]),
        "B": PARTS["B"],
        "C": of_rois(*own, patients=["p", "q", "r"]),
    }
    row = build_matrix([("a", ("A",), parts)], resamples=100).rows[0]
    assert row.cells["A"].f1 == dataclasses.replace(row.cells["C"], seen=True).f1
    (alone,) = build_matrix([("a", ("A",), {"A": parts["A"], "C": parts["C"]})], resamples=100).rows
    assert alone.drop == Interval(0.0, 0.0, 0.0), "seen and unseen are paired"
    apart = parts | {"C": of_rois(*own, patients=["s", "t", "u"])}
    assert build_matrix([("a", ("A",), apart)], resamples=100).rows[0].cells["B"] == row.cells["B"]
    assert (
        build_matrix([("a", ("A",), dict(reversed(parts.items())))], resamples=100).rows[0].cells
        == row.cells
    )


def test_scanners_that_share_patients_by_way_of_a_third_are_drawn_together(monkeypatch):
    drawn = []
    original = scanner_draws.weights_in_parts

    def note(patients, resamples, seed):
        drawn.append(sorted(patients))
        return original(patients, resamples, seed)

    monkeypatch.setattr(scanner_draws, "weights_in_parts", note)
    parts = {
        "A": of_rois((1, 0, 0), (1, 1, 0), patients=["p", "q"]),
        "B": of_rois((1, 0, 0), (1, 1, 0), patients=["s", "t"]),
        "C": of_rois((1, 0, 0), (1, 1, 0), patients=["x", "y"]),
        "D": of_rois((1, 0, 0), (1, 1, 0), patients=["q", "s"]),
    }
    build_matrix([("a", ("A",), parts)], resamples=10)
    assert sorted(drawn) == [["p", "q", "q", "s", "s", "t"], ["x", "y"]]


def test_a_scanner_none_of_whose_shared_patients_is_drawn_costs_no_other_its_interval():
    many = [f"p{number}" for number in range(30)]
    parts = {
        "A": of_rois(*[(1, 0, 1)] * 30, patients=many),
        "B": of_rois((2, 1, 0), (1, 1, 1), patients=many[:2]),
    }
    (row,) = build_matrix([("c", ("C",), parts)], resamples=200).rows
    assert not math.isnan(row.unseen.low)
    assert not math.isnan(row.cells["B"].f1.low)


def test_the_order_of_rois_changes_nothing():
    a = PARTS["A"]
    turned = scanner_draws.Tested(a.counts[::-1], a.patients[::-1])
    made, again = (
        build_matrix([("a", ("A",), {"A": each})], resamples=100) for each in (a, turned)
    )
    assert equal(made, again)


def test_the_seed_decides_the_draws():
    made, again, other = (
        build_matrix([("a", ("A",), PARTS)], resamples=100, seed=seed) for seed in (0, 0, 1)
    )
    assert equal(made, again)
    assert made.rows[0].drop != other.rows[0].drop
    assert made.rows[0].drop.value == other.rows[0].drop.value


# --- what is undefined


def test_a_scanner_without_figures_and_points_is_left_out_of_the_means():
    parts = PARTS | {"C": of_rois(EMPTY, EMPTY)}
    made = build_matrix([("a", ("A",), parts), ("c", ("C",), parts)], resamples=50)
    a, c = made.rows
    assert is_undefined(a.cells["C"].f1)
    assert (a.cells["C"].rois, a.cells["C"].counts) == (2, Counts())
    assert is_undefined(c.seen)
    assert is_undefined(c.drop)
    assert made.on_diagonal.value == a.cells["A"].f1.value, "a alone: c's own cell is undefined"
    assert made.off_diagonal.value == pytest.approx(
        np.mean([a.unseen.value, *_f1s(c, "AB")]), abs=1e-15
    )
    assert not math.isnan(made.gap.low)
    assert "C" not in (a.best, a.worst)


def test_false_alarms_alone_are_an_f1_of_0_and_no_nan():
    made = build_matrix(
        [("a", ("A",), {"A": PARTS["A"], "B": of_rois((0, 1, 0), (0, 2, 0))})], resamples=50
    )
    assert made.rows[0].cells["B"].f1 == Interval(0.0, 0.0, 0.0)
    assert made.off_diagonal.value == 0.0


def test_one_patient_alone_has_figures_and_no_interval():
    lone = {
        scanner: scanner_draws.Tested(part.counts, ["p"] * len(part.counts))
        for scanner, part in PARTS.items()
    }
    made = build_matrix([("a", ("A",), lone), ("b", ("B",), lone)], resamples=50)
    row = made.rows[0]
    for each in (
        row.cells["A"].f1,
        row.seen,
        row.unseen,
        row.drop,
        made.on_diagonal,
        made.off_diagonal,
        made.gap,
    ):
        assert equal(each, unknown(each.value))
        assert not math.isnan(each.value)


def test_a_scanner_of_one_patient_leaves_the_others_their_intervals():
    made = build_matrix([("a", ("A",), PARTS | {"C": of_rois((1, 0, 0))})], resamples=50)
    row = made.rows[0]
    assert not math.isnan(row.seen.low)
    assert not math.isnan(row.cells["B"].f1.low)
    assert math.isnan(row.cells["C"].f1.low)
    assert math.isnan(row.unseen.low)
    assert math.isnan(row.drop.low)


def test_without_a_model_of_one_scanner_there_are_no_means():
    made = build_matrix([("both", ("A", "B"), PARTS)], resamples=50)
    assert all(map(is_undefined, (made.on_diagonal, made.off_diagonal, made.gap)))


def test_a_model_that_saw_every_scanner_has_no_drop():
    (row,) = build_matrix([("both", ("A", "B"), PARTS)], resamples=50).rows
    assert is_undefined(row.unseen)
    assert is_undefined(row.drop)
    assert (row.best, row.worst) == ("A", "B")


def test_a_single_scanner_is_neither_best_nor_worst():
    (row,) = build_matrix([("a", ("A",), {"A": PARTS["A"]})], resamples=50).rows
    assert (row.best, row.worst) == ("", "")


@pytest.mark.parametrize("parts", [{}, {"A": of_rois()}], ids=["no scanner", "no ROI"])
def test_a_model_that_was_tested_on_nothing_is_undefined(parts):
    made = build_matrix([("a", ("A",), parts)], resamples=5)
    (row,) = made.rows
    assert all(map(is_undefined, (row.seen, row.unseen, row.drop, made.on_diagonal, made.gap)))
    assert losses(made) == []


def test_no_models_make_an_empty_matrix():
    made = build_matrix([], resamples=5)
    assert made.rows == ()
    assert is_undefined(made.gap)


def test_without_resamples_there_are_figures_and_no_intervals():
    made = build_matrix([("a", ("A",), PARTS), ("b", ("B",), PARTS)], resamples=0)
    for each in (made.rows[0].drop, made.on_diagonal, made.off_diagonal, made.gap):
        assert equal(each, unknown(each.value))
        assert not math.isnan(each.value)


count = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
part = st.lists(st.tuples(count, st.sampled_from("pqr")), max_size=4).map(
    lambda rois: of_rois(*(each for each, _ in rois), patients=[name for _, name in rois])
)


@settings(max_examples=50)
@given(
    st.dictionaries(st.sampled_from("ABC"), part),
    st.sets(st.sampled_from("ABC")),
    st.integers(0, 9),
)
def test_whatever_is_counted_f1_is_that_of_the_pooled_counts(parts, train_on, resamples):
    (row,) = build_matrix([("m", tuple(train_on), parts)], resamples=resamples).rows
    for scanner, cell in row.cells.items():
        assert cell.counts == sum(parts[scanner].counts, Counts())
        assert equal(cell.f1.value, cell.counts.f1)
    for side, seen in ((row.seen, True), (row.unseen, False)):
        pooled = sum((cell.counts for cell in row.cells.values() if cell.seen is seen), Counts())
        assert equal(side.value, pooled.f1)
        assert math.isnan(side.low) or 0 <= side.low <= side.high <= 1


# --- losses


def test_a_loss_is_told_from_the_models_own_scanner_and_from_the_other_ones_own_model(matrix):
    outcome = {(loss.model, loss.scanner): loss for loss in losses(matrix)}
    assert set(outcome) == {
        ("a", "B"),
        ("a", "C"),
        ("b", "A"),
        ("b", "C"),
    }, "models of one scanner, where not trained"
    on_b = outcome["a", "B"]
    assert on_b.train_on == ("A",)
    assert on_b.from_own == pytest.approx(8 / 10 - 2 / 9, abs=1e-15)
    assert on_b.from_native == pytest.approx(10 / 12 - 2 / 9, abs=1e-15)
    assert outcome["b", "A"].from_native == pytest.approx(8 / 10 - 4 / 8, abs=1e-15)
    assert math.isnan(outcome["a", "C"].from_native), "no model was trained on C alone"
    assert outcome["a", "C"].from_own == pytest.approx(8 / 10 - 2 / 6, abs=1e-15)


def test_without_models_of_one_scanner_the_others_tell():
    parts = PARTS | {"C": of_rois((1, 1, 1))}
    (loss,) = losses(build_matrix([("both", ("A", "B"), parts)], resamples=5))
    assert (loss.model, loss.scanner) == ("both", "C")
    assert loss.from_own == pytest.approx(30 / 44 - 2 / 4, abs=1e-15)
    assert math.isnan(loss.from_native)


def test_a_native_model_that_was_not_tested_on_its_scanner_tells_nothing():
    outcome = losses(
        build_matrix([("a", ("A",), PARTS), ("b", ("B",), {"A": PARTS["A"]})], resamples=5)
    )
    assert math.isnan(outcome[0].from_native)
    assert math.isnan(outcome[1].from_own)


# --- the reference


def test_the_published_matrix():
    f1 = {
        (trained, on): PUBLISHED_F1[row][column]
        for row, trained in enumerate(PUBLISHED_SCANNERS)
        for column, on in enumerate(PUBLISHED_SCANNERS)
    }
    xr, cs2, s360 = "Hamamatsu XR", "Aperio CS2", "Hamamatsu S360"
    assert [f1[xr, on] for on in (xr, cs2, s360)] == [0.578, 0.138, 0.190]
    assert [f1[cs2, on] for on in (xr, cs2, s360)] == [0.390, 0.751, 0.433]
    assert [f1[s360, on] for on in (xr, cs2, s360)] == [0.432, 0.574, 0.721]
    assert len(f1) == 9
    assert np.mean([f1[each, each] for each in PUBLISHED_SCANNERS]).round(3) == 0.683, (
        "as the paper's abstract says"
    )


def _f1s(row: scanner_matrix.ModelRow, scanners: str) -> list[float]:
    return [row.cells[scanner].f1.value for scanner in scanners]


def test_the_native_model_of_several_is_their_mean():
    def model(name: str, scanner: str, f1_on_x: Counts) -> tuple:
        parts = {
            "X": scanner_draws.Tested([f1_on_x], ["a"]),
            "Y": scanner_draws.Tested([Counts(1, 0, 0)], ["b"]),
        }
        return name, (scanner,), parts

    matrix = build_matrix(
        [
            model("x1", "X", Counts(1, 0, 0)),
            model("x2", "X", Counts(1, 1, 1)),
            model("y", "Y", Counts(0, 1, 1)),
        ],
        resamples=10,
    )
    (of_y,) = (loss for loss in losses(matrix) if loss.model == "y")
    assert of_y.from_native == pytest.approx(0.75)  # (1 + 0.5) / 2 - 0
