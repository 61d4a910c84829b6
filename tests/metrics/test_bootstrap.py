"""Bootstrap: the draws of patients, and intervals against scipy on the same resamples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from midog.metrics import bootstrap
from midog.metrics.bootstrap import (
    Interval,
    difference,
    draw_weights,
    interval,
    weights_in_parts,
)
from midog.metrics.counts import Counts, count_table, f1

NAN = math.nan


# --- weights


def test_all_rois_of_a_patient_come_together_and_as_many_patients_as_there_are() -> None:
    patients = ["b", "a", "b", "c", "a", "d"]
    weights = draw_weights(patients, 50, seed=3)
    assert weights.shape == (50, 6)
    assert weights.dtype == np.int64
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3, 5]].sum(axis=1) == 4).all()
    assert (weights > 1).any()
    assert (weights == 0).any()


def test_weights_are_the_seeds_and_follow_the_patient_not_the_order() -> None:
    patients = ["b", "a", "b", "c"]
    weights = draw_weights(patients, 20, seed=3)
    assert (weights == draw_weights(patients, 20, seed=3)).all()
    assert (weights != draw_weights(patients, 20, seed=4)).any()
    assert (weights[:, ::-1] == draw_weights(patients[::-1], 20, seed=3)).all()


@pytest.mark.parametrize("patients", [[], ["a"], ["a", "a"]])
def test_fewer_than_two_patients_give_no_resample(patients) -> None:
    weights = draw_weights(patients, 10, seed=0)
    assert weights.shape == (10, len(patients))
    assert not weights.any()


# --- intervals


def pooled_f1(counts: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """F1 of patients (…, n), from the counts (n, 3) of each."""
    tp, fp, fn = np.moveaxis(counts[patients].sum(axis=-2), -1, 0)
    return 2 * tp / (2 * tp + fp + fn)


@pytest.fixture
def two_models() -> tuple[list[str], list[Counts], list[Counts]]:
    """Counts of models A and B on 40 ROIs of 12 patients, who have several ROIs each."""
    rng = np.random.default_rng(7)
    patients = [
        f"patient {at:02d}"
        for at in rng.permutation(np.append(np.arange(12), rng.integers(0, 12, 28)))
    ]
    a, b = (
        [Counts(*map(int, rng.integers(0, most))) for _ in patients]
        for most in ((20, 9, 9), (20, 12, 12))
    )
    return patients, a, b


def by_patient(patients: list[str], counts: list[Counts]) -> np.ndarray:
    table = np.zeros((len(set(patients)), 3), np.int64)
    np.add.at(table, [int(name[-2:]) for name in patients], [(c.tp, c.fp, c.fn) for c in counts])
    return table


def f1_samples(counts: list[Counts], weights: np.ndarray) -> np.ndarray:
    return f1(*(weights @ count_table(counts)).T)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_interval_is_scipys_on_the_same_resamples(two_models, level) -> None:
    patients, counts, _ = two_models
    table = by_patient(patients, counts)
    samples = f1_samples(counts, draw_weights(patients, 500, seed=11))
    theirs = stats.bootstrap(
        (np.arange(12),),
        lambda drawn, axis: pooled_f1(table, drawn),
        n_resamples=500,
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(11),
    )
    np.testing.assert_allclose(samples, theirs.bootstrap_distribution, rtol=0, atol=1e-12)
    ours = interval(sum(counts, Counts()).f1, samples, level)
    assert ours.value == pytest.approx(pooled_f1(table, np.arange(12)), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)
    assert ours.low < ours.value < ours.high


def test_paired_difference_is_scipys_on_the_same_resamples(two_models) -> None:
    patients, a, b = two_models
    tables = by_patient(patients, a), by_patient(patients, b)
    weights = draw_weights(patients, 500, seed=2)
    theirs = stats.bootstrap(
        (np.arange(12),),
        lambda drawn, axis: pooled_f1(tables[0], drawn) - pooled_f1(tables[1], drawn),
        n_resamples=500,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    f1_a, f1_b = sum(a, Counts()).f1, sum(b, Counts()).f1
    ours = difference(f1_a, f1_b, f1_samples(a, weights), f1_samples(b, weights))
    assert ours.value == f1_a - f1_b
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)
    gains = theirs.bootstrap_distribution
    assert ours.p == 2 * (min((gains <= 0).sum(), (gains >= 0).sum()) + 1) / 501


def test_p_is_twice_the_rarer_side_smoothed_and_at_most_one() -> None:
    def p(*gains: float) -> float:
        return difference(0.5, 0.4, np.array(gains), np.zeros(len(gains))).p

    assert p(*[0.1] * 99) == 2 / 100
    assert p(*[-0.1] * 99) == 2 / 100
    assert p(*[0.1] * 96, 0, -0.1, -0.2) == 2 * (3 + 1) / 100
    assert p(*[0.0] * 99) == 1
    assert p(-0.1, 0.1) == 1
    assert p(*[0.1] * 99, NAN) == 2 / 100


def test_a_model_against_itself_is_no_difference(two_models) -> None:
    patients, counts, _ = two_models
    samples = f1_samples(counts, draw_weights(patients, 100, seed=2))
    same = difference(0.7, 0.7, samples, samples)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_figure_that_is_undefined_has_no_interval() -> None:
    assert interval(NAN, np.array([0.2, 0.4])) == pytest.approx(
        Interval(NAN, NAN, NAN), nan_ok=True
    )


def test_undefined_resamples_are_left_out_unless_they_are_more_than_half() -> None:
    half = np.array([0.2, NAN, 0.4, NAN])
    assert interval(0.3, half, level=0.5) == Interval(0.3, pytest.approx(0.25), pytest.approx(0.35))
    for samples in (np.array([0.2, NAN, NAN]), np.full(3, NAN), np.zeros(0)):
        undefined = interval(0.3, samples)
        assert undefined.value == 0.3
        assert math.isnan(undefined.low)
        assert math.isnan(undefined.high)
        gain = difference(0.3, 0.2, samples, np.zeros(len(samples)))
        assert gain.value == pytest.approx(0.1)
        assert all(math.isnan(number) for number in (gain.low, gain.high, gain.p))


# --- part by part


@pytest.mark.parametrize("cells", [1, 7, 24, 100, 4_000_000])
@pytest.mark.parametrize(
    "patients", [[], ["a"], ["b", "a", "b", "c"], [f"p{n}" for n in range(40)]]
)
def test_parts_are_the_rows_of_the_whole_whatever_their_size(monkeypatch, cells, patients) -> None:
    whole = draw_weights(patients, 50, seed=3)
    monkeypatch.setattr(bootstrap, "_CELLS", cells)
    parts = list(weights_in_parts(patients, 50, seed=3))
    assert max(part.size for part in parts) <= max(cells, len(patients))
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(draw_weights(patients, 50, seed=3), whole)


def test_no_resample_is_one_empty_part() -> None:
    (part,) = weights_in_parts(["a", "b"], 0, seed=0)
    assert part.shape == (0, 2)


def test_the_draws_of_a_seed_stay_what_they_are() -> None:
    first = draw_weights([f"p{n}" for n in range(9)], 3, seed=5)
    drawn = np.random.default_rng([5]).integers(0, 9, (3, 9))
    assert np.array_equal(first, [np.bincount(row, minlength=9) for row in drawn])
