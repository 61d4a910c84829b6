"""Permutation test: by hand for two and three patients, exact over all swaps of any data, and
honest where A is B."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from midog.metrics import bootstrap
from midog.metrics.average_precision import average_precision
from midog.metrics.bootstrap import difference, draw_weights
from midog.metrics.bootstrap_areas import resample_average_precision
from midog.metrics.counts import Counts, count_table, recall
from midog.metrics.permutation import p_value, swap_weights, swaps_in_parts
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import PooledMatches

NAN = math.nan
A_AND_B = [1, 0]
B_AND_A = [0, 1]


def pairs(a: Sequence, b: Sequence) -> list:
    return [each for pair in zip(a, b, strict=True) for each in pair]


def resample_recall(counts: Sequence[Counts], weights: np.ndarray) -> np.ndarray:
    tp, _, fn = (weights @ count_table(counts)).T
    return recall(tp, fn)


def p_of_recall(
    a: Sequence[Counts], b: Sequence[Counts], patients: Sequence[str], resamples: int = 2000
) -> float:
    kept = swap_weights(patients, resamples, seed=0)
    sides = [resample_recall(pairs(a, b), weights) for weights in (kept, 1 - kept)]
    return p_value(*sides)


def outcome(*numbers: int) -> list[Counts]:
    """So many of 4 figures in each ROI."""
    return [Counts(number, 0, 4 - number) for number in numbers]


# --- swaps


def test_all_swaps_of_two_patients_and_first_that_of_nobody() -> None:
    """Columns are A's and B's ROI of each of three, of which the first and the last are of one
    patient."""
    weights = swap_weights(["q", "p", "q"], 4, seed=0)
    assert weights.dtype == np.int64
    assert weights.tolist() == [
        A_AND_B + A_AND_B + A_AND_B,
        A_AND_B + B_AND_A + A_AND_B,
        B_AND_A + A_AND_B + B_AND_A,
        B_AND_A + B_AND_A + B_AND_A,
    ]


@pytest.mark.parametrize(("resamples", "rows"), [(31, 32), (32, 32), (33, 32), (2000, 32), (5, 6)])
def test_as_many_swaps_as_there_are_or_as_were_asked_for_besides_that_of_nobody(
    resamples, rows
) -> None:
    weights = swap_weights(list("abcde"), resamples, seed=0)
    assert weights.shape == (rows, 10)
    assert weights[0].tolist() == A_AND_B * 5
    assert (weights[:, ::2] + weights[:, 1::2] == 1).all(), (
        "each side has one of the two results of each ROI"
    )
    assert (len(np.unique(weights, axis=0)) == 32) == (resamples >= 32)


def test_random_swaps_are_the_seeds_and_follow_the_patient_not_the_order() -> None:
    patients = [f"p{number // 2}" for number in range(24)]
    weights = swap_weights(patients, 50, seed=3)
    assert weights.shape == (51, 48)
    assert (weights[:, 0:48:4] == weights[:, 2:48:4]).all(), "both ROIs of a patient"
    assert 0.4 < weights[1:, ::4].mean() < 0.6
    assert (weights == swap_weights(patients, 50, seed=3)).all()
    assert (weights != swap_weights(patients, 50, seed=4)).any()
    turned = swap_weights(patients[::-1], 50, seed=3)
    assert (weights[:, ::2] == turned[:, ::2][:, ::-1]).all()


@pytest.mark.parametrize("patients", [[], ["p"], ["p", "p"]])
def test_fewer_than_two_patients_cannot_be_swapped(patients) -> None:
    assert swap_weights(patients, 100, seed=0).shape == (0, 2 * len(patients))
    assert math.isnan(
        p_of_recall(outcome(*[4] * len(patients)), outcome(*[1] * len(patients)), patients)
    )


# --- p


def test_by_hand() -> None:
    # gains of 1 each: +2 and -2 of 8 among +-1 +-1
    assert p_of_recall(outcome(4, 3), outcome(3, 2), ["p", "q"]) == 2 / 4
    # gains of 3 and 1: +4, -4 of +-3 +-1
    assert p_of_recall(outcome(4, 3), outcome(1, 2), ["p", "q"]) == 2 / 4
    # gains of 3 and -1: all four are at least 2 from 0
    assert p_of_recall(outcome(4, 2), outcome(1, 3), ["p", "q"]) == 1
    # gains of 3, 2, -1: 4; of the eight, 6 and -6, 4 and -4 are at least as far
    assert p_of_recall(outcome(4, 4, 2), outcome(1, 2, 3), ["p", "q", "r"]) == 4 / 8
    # gains of 3, 2, 1
    assert p_of_recall(outcome(4, 4, 4), outcome(1, 2, 3), ["p", "q", "r"]) == 2 / 8
    # the first two ROIs are one patient's
    assert p_of_recall(outcome(4, 4, 4), outcome(1, 2, 3), ["p", "p", "r"]) == 2 / 4


def test_two_that_are_the_same() -> None:
    assert p_of_recall(outcome(4, 1, 3), outcome(4, 1, 3), ["p", "q", "r"]) == 1


def test_random_swaps_count_that_of_nobody_too() -> None:
    """Twenty patients of whom each gains: no other swap in a few is as far from 0."""
    patients = [f"p{number}" for number in range(20)]
    assert p_of_recall(outcome(*[3] * 20), outcome(*[2] * 20), patients, resamples=99) == 1 / 100


def test_differences_that_are_equal_but_for_rounding_count() -> None:
    gains = np.array([0.3, 0.1 + 0.2, 0.4 - 0.1, -0.3, 0.2])
    assert len(np.unique(np.abs(gains))) > 2
    assert (
        p_value(
            np.array([0.1 + 0.2, 0.3, 0.4 - 0.1, 0.0, 0.2]), np.array([0.0, 0.0, 0.0, 0.3, 0.0])
        )
        == 4 / 5
    )


@pytest.mark.parametrize(
    ("samples", "p"),
    [
        ([2, 1, NAN, 2], 2 / 3),
        ([2, NAN, NAN, 2], 2 / 2),
        ([2, NAN, NAN, NAN], NAN),
        ([NAN, 2, 2, 2], NAN),
        ([], NAN),
    ],
)
def test_swaps_in_which_the_figure_is_undefined_are_left_out_unless_they_are_most(
    samples, p
) -> None:
    assert p_value(np.array(samples, float), np.zeros(len(samples))) == pytest.approx(
        p, nan_ok=True
    )


# --- honest


def scattered(rng: np.random.Generator) -> RoiPoints:
    """Some of three figures, and false alarms, with few distinct scores, so that ROIs tie."""
    truth = np.array([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)])
    points = np.concatenate([truth[rng.random(3) < 0.7], rng.uniform(0, 1, (3, 2))])
    return RoiPoints(truth, points, rng.integers(1, 4, len(points)) / 3)


@pytest.mark.parametrize("case", range(5))
def test_exact_in_any_data(case) -> None:
    """Were it chance which result is A's, p <= x would come about in at most a share x of all ways
    to name them."""
    rng = np.random.default_rng(case)
    patients = list("pqrs")
    results = [(scattered(rng), scattered(rng)) for _ in patients]
    kept = swap_weights(patients, 16, seed=0)
    ps = []
    for turned in itertools.product([False, True], repeat=4):
        mine = [pair[::-1] if turn else pair for pair, turn in zip(results, turned, strict=True)]
        listed = [each for pair in mine for each in pair]
        matches = PooledMatches.of(listed)
        a, b = (resample_average_precision(matches, weights) for weights in (kept, 1 - kept))
        assert (a[0], b[0]) == tuple(
            average_precision([pair[side] for pair in mine]) for side in (0, 1)
        )
        ps.append(p_value(a, b))
    for share in range(1, 17):
        assert np.count_nonzero(np.array(ps) <= share / 16) <= share


def test_few_false_alarms_where_no_model_is_better_and_too_many_by_the_bootstrap() -> None:
    """A and B find each figure with the same chance, which is the patient's. With 5 patients p
    cannot be 0.05."""
    rng = np.random.default_rng(0)
    by_swap, by_bootstrap = {5: 0, 7: 0}, {5: 0, 7: 0}
    times = 200
    for count in by_swap:
        patients = [f"p{number}" for number in range(count)]
        kept, drawn = swap_weights(patients, 200, seed=0), draw_weights(patients, 200, seed=0)
        for _ in range(times):
            chance = rng.beta(4, 2, count)
            a, b = (
                [Counts(int(hits), 0, 20 - int(hits)) for hits in rng.binomial(20, chance)]
                for _ in range(2)
            )
            sides = [resample_recall(pairs(a, b), weights) for weights in (kept, 1 - kept)]
            by_swap[count] += p_value(*sides) <= 0.05
            resamples = [resample_recall(model, drawn) for model in (a, b)]
            by_bootstrap[count] += difference(0.0, 0.0, *resamples).p <= 0.05
    assert by_swap[5] == 0
    assert by_swap[7] <= 0.05 * times + 2 * math.sqrt(0.05 * 0.95 * times)
    assert by_swap[7] > 0, "it can tell something"
    assert by_bootstrap[5] > 2 * 0.05 * times


@pytest.mark.parametrize("cells", [1, 7, 24, 100, 4_000_000])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 20])
def test_parts_are_the_rows_of_the_whole_whatever_their_size(monkeypatch, cells, count) -> None:
    patients = [f"p{n}" for n in range(count)]
    whole = swap_weights(patients, 40, seed=3)
    monkeypatch.setattr(bootstrap, "_CELLS", cells)
    parts = list(swaps_in_parts(patients, 40, seed=3))
    assert max(part.size for part in parts) <= max(cells, 2 * count)
    assert np.array_equal(np.concatenate(parts), whole)
