"""Bootstrap: against scipy on the same resamples, and against the plain figures of a resampled list
of ROIs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from midog.metrics.bootstrap import (
    Interval,
    Rates,
    Samples,
    difference,
    draw_weights,
    interval,
    resample,
    resample_rates,
)
from midog.metrics.counts import Counts, RoiPoints, average_precision, counts_at
from midog.metrics.froc import froc_auc

NAN = math.nan


def literal(
    counts: Sequence[Counts], points: Sequence[RoiPoints], weights: Sequence[int]
) -> list[float]:
    """Every figure of one resample, from a list in which each ROI stands as often as its weight
    says."""
    pooled = sum(
        (c for c, weight in zip(counts, weights, strict=True) for _ in range(weight)), Counts()
    )
    rois = [roi for roi, weight in zip(points, weights, strict=True) for _ in range(weight)]
    return [pooled.precision, pooled.recall, pooled.f1, average_precision(rois), froc_auc(rois)]


def rows(samples: Samples) -> np.ndarray:
    """(B, 5), as `literal` has them."""
    return np.stack(
        [samples.precision, samples.recall, samples.f1, samples.ap50, samples.froc_auc], axis=1
    )


def scattered(rng: np.random.Generator, figures: int, alarms: int, decimals: int) -> RoiPoints:
    """Most figures found, some nearly, some twice, and false alarms; scores in [0, 1] with so many
    decimals."""
    truth = rng.uniform(0, 1, (figures, 2))
    found = np.concatenate(
        [truth + rng.normal(0, 0.004, truth.shape), truth[: figures // 3] + 0.002]
    )
    found = np.concatenate([found, rng.uniform(0, 1, (alarms, 2))])
    order = rng.permutation(len(found))
    scores = np.concatenate([rng.beta(4, 2, len(found) - alarms), rng.beta(2, 4, alarms)])
    return RoiPoints(truth, found[order], scores[order].round(decimals))


@st.composite
def crowded_rois(draw) -> RoiPoints:
    """Points on a coarse grid and few scores, so that hits and false alarms of one ROI and of
    several tie."""
    point = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda xy: (xy[0] / 512, xy[1] / 512)
    )  # mm
    truth = draw(st.lists(point, max_size=4))
    found = draw(st.lists(st.tuples(point, st.integers(0, 3)), max_size=8))
    return RoiPoints(truth, [xy for xy, _ in found], [score / 3 for _, score in found])


@st.composite
def resampled(draw) -> tuple[list[RoiPoints], np.ndarray]:
    rois = draw(st.lists(crowded_rois(), max_size=5))
    weights = draw(
        st.lists(st.lists(st.integers(0, 4), min_size=len(rois), max_size=len(rois)), max_size=4)
    )
    return rois, np.array(weights, np.int64).reshape(len(weights), len(rois))


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


# --- figures of a resample


@given(resampled(), st.integers(0, 3))
@settings(max_examples=400)
def test_each_resample_is_the_literally_resampled_list(case, threshold) -> None:
    rois, weights = case
    counts = [counts_at([roi], threshold / 3) for roi in rois]
    expected = [literal(counts, rois, row) for row in weights.tolist()]
    np.testing.assert_array_equal(
        rows(resample(counts, rois, weights)), np.reshape(expected, (-1, 5))
    )


@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_each_resample_of_patients_is_the_literally_resampled_list(decimals) -> None:
    rng = np.random.default_rng(decimals)
    rois = [
        scattered(rng, int(rng.integers(0, 12)), int(rng.integers(0, 60)), decimals)
        for _ in range(15)
    ]
    counts = [counts_at([roi], 0.5) for roi in rois]
    weights = draw_weights([f"patient {at // 2}" for at in range(15)], 40, seed=1)
    expected = [literal(counts, rois, row) for row in weights.tolist()]
    np.testing.assert_array_equal(rows(resample(counts, rois, weights)), expected)


def test_tied_hits_and_false_alarms_of_a_roi_drawn_twice_stand_copy_by_copy() -> None:
    tied = RoiPoints([(0.0, 0.0)], [(0.0, 0.0), (0.5, 0.5)], [0.9, 0.9])
    samples = resample([Counts(1, 1, 0)], [tied], np.array([[1], [2]]))
    assert samples.ap50[0] == 1
    assert samples.ap50[1] == pytest.approx(
        (51 + 50 * 2 / 3) / 101
    )  # hit, false alarm, hit, false alarm


def test_weights_of_one_give_the_figures_themselves(shared) -> None:
    images = json.loads((shared / "parity" / "parity.json").read_text())["images"]
    rois = []
    for image in images:
        truth, found = (
            np.reshape(image[key], (-1, n))
            for key, n in (("mitotic_figures_px", 2), ("detections_px", 3))
        )
        rois.append(
            RoiPoints(truth * image["mpp"] / 1000, found[:, :2] * image["mpp"] / 1000, found[:, 2])
        )
    counts = [counts_at([roi], 0.5) for roi in rois]
    weights = np.concatenate(
        [np.ones((1, len(rois)), np.int64), draw_weights([i["file_name"] for i in images], 9, 5)]
    )
    expected = [literal(counts, rois, row) for row in weights.tolist()]
    np.testing.assert_array_equal(rows(resample(counts, rois, weights)), expected)


def test_where_nothing_is_known_every_figure_is_nan() -> None:
    nothing = resample([], [], draw_weights([], 4, seed=0))
    alone = resample(
        [Counts(2, 1, 1)],
        [scattered(np.random.default_rng(0), 3, 3, 2)],
        draw_weights(["a"], 4, seed=0),
    )
    for samples in (nothing, alone):
        assert np.isnan(rows(samples)).all()
        assert np.shape(rows(samples)) == (4, 5)
        assert interval(0.5, samples.f1) == pytest.approx(Interval(0.5, NAN, NAN), nan_ok=True)


def test_no_detections_and_no_figures_are_counted_not_guessed() -> None:
    empty, unfound = RoiPoints([], [], []), RoiPoints([(0.0, 0.0)], [], [])
    alarm = RoiPoints([], [(0.0, 0.0)], [0.7])
    counts = [Counts(), Counts(0, 0, 1), Counts(0, 1, 0)]
    samples = resample(counts, [empty, unfound, alarm], np.array([[3, 0, 0], [1, 2, 0], [0, 0, 3]]))
    expected = [[NAN] * 5, [NAN, 0, 0, 0, 0], [0, NAN, 0, NAN, NAN]]
    np.testing.assert_array_equal(rows(samples), expected)


# --- rates of a resample


def literal_rates(
    counts: Sequence[Counts], areas: Sequence[float], weights: Sequence[int]
) -> Rates:
    """Of a list in which each ROI stands as often as its weight says."""
    rois = [
        each
        for each, weight in zip(zip(counts, areas, strict=True), weights, strict=True)
        for _ in range(weight)
    ]
    pooled, area = sum((c for c, _ in rois), Counts()), math.fsum(a for _, a in rois)
    figures, found = pooled.tp + pooled.fn, pooled.tp + pooled.fp
    ratios = [
        pooled.fp / len(rois),
        pooled.fp / area,
        figures / area,
        found / area,
        2 * figures / area,
    ]
    return Rates(*map(np.asarray, [*ratios, 2 * found / area]))


def test_rates_of_each_resample_are_those_of_the_literally_resampled_list() -> None:
    rng = np.random.default_rng(4)
    counts = [Counts(*map(int, rng.integers(0, 9, 3))) for _ in range(12)]
    areas = rng.uniform(0.5, 3, 12)
    weights = draw_weights([f"patient {at // 2}" for at in range(12)], 50, seed=1)
    ours = resample_rates(counts, areas, weights)
    for at, row in enumerate(weights.tolist()):
        for name, value in vars(literal_rates(counts, areas.tolist(), row)).items():
            assert getattr(ours, name)[at] == pytest.approx(float(value), rel=1e-14, abs=0)


def test_rates_without_an_area_or_a_draw_are_nan() -> None:
    counts = [Counts(1, 2, 3), Counts(0, 1, 0)]
    unknown = resample_rates(counts, np.array([1.0, NAN]), np.array([[2, 0], [1, 1]]))
    assert unknown.fp_per_roi.tolist() == [2, 1.5]
    assert all(np.isnan(each).all() for name, each in vars(unknown).items() if name != "fp_per_roi")
    undrawn = resample_rates(counts, np.ones(2), np.zeros((3, 2), np.int64))
    assert np.isnan(list(vars(undrawn).values())).tolist() == [[True] * 3] * 6


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
    return resample(counts, [RoiPoints([], [], [])] * len(counts), weights).f1


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
        known = interval(0.3, samples)
        assert known.value == 0.3
        assert math.isnan(known.low)
        assert math.isnan(known.high)
        gain = difference(0.3, 0.2, samples, np.zeros(len(samples)))
        assert gain.value == pytest.approx(0.1)
        assert all(math.isnan(number) for number in (gain.low, gain.high, gain.p))
