"""Every measure: of a group, and in every resample that of the resampled list of ROIs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.evaluation.measures import MAIN, MEASURES, compared
from midog.metrics.average_precision import average_precision
from midog.metrics.bootstrap import Interval, draw_weights, interval
from midog.metrics.counts import Counts, counts_at
from midog.metrics.froc import froc_auc
from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import PooledMatches

NAN = math.nan
RATES = (
    "fp_per_roi",
    "fp_per_mm2",
    "figures_per_mm2",
    "found_per_mm2",
    "figures_per_2mm2",
    "found_per_2mm2",
)


def resample(
    counts: Sequence[Counts], points: Sequence[RoiPoints], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The measures that models are compared by, in each resample."""
    rois = MatchedRois(counts, np.full(len(counts), NAN), PooledMatches.of(points))
    drawn = Resamples(rois, weights)
    return {measure.key: measure.resample(drawn) for measure in compared()}


def resample_rates(
    counts: Sequence[Counts], areas: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    points = [RoiPoints([], [], [])] * len(counts)
    drawn = Resamples(MatchedRois(counts, areas, PooledMatches.of(points)), weights)
    return {key: MEASURES[key].resample(drawn) for key in RATES}


def rows(samples: dict[str, np.ndarray]) -> np.ndarray:
    """(B, 5), as `literal` has them."""
    return np.stack(list(samples.values()), axis=1)


def test_models_are_compared_by_the_five_scores_and_f1_leads() -> None:
    assert [measure.key for measure in compared()] == [
        "precision",
        "recall",
        "f1",
        "ap50",
        "froc_auc",
    ]
    assert MAIN == "f1"
    assert [key for key in MEASURES if key in RATES] == list(RATES)
    assert all(key == measure.key for key, measure in MEASURES.items())


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


def scattered(rng: np.random.Generator, figures: int, alarms: int, decimals: int) -> RoiPoints:
    """Most figures found, some nearly, some twice, and false alarms; scores in [0, 1] with so many
    decimals."""
    truth = rng.uniform(0, 1, (figures, 2))
    detected = np.concatenate(
        [truth + rng.normal(0, 0.004, truth.shape), truth[: figures // 3] + 0.002]
    )
    detected = np.concatenate([detected, rng.uniform(0, 1, (alarms, 2))])
    order = rng.permutation(len(detected))
    scores = np.concatenate([rng.beta(4, 2, len(detected) - alarms), rng.beta(2, 4, alarms)])
    return RoiPoints(truth, detected[order], scores[order].round(decimals))


@st.composite
def crowded_rois(draw) -> RoiPoints:
    """Points on a coarse grid and few scores, so that hits and false alarms of one ROI and of
    several tie."""
    point = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda xy: (xy[0] / 512, xy[1] / 512)
    )  # mm
    truth = draw(st.lists(point, max_size=4))
    detected = draw(st.lists(st.tuples(point, st.integers(0, 3)), max_size=8))
    return RoiPoints(truth, [xy for xy, _ in detected], [score / 3 for _, score in detected])


@st.composite
def resampled(draw) -> tuple[list[RoiPoints], np.ndarray]:
    rois = draw(st.lists(crowded_rois(), max_size=5))
    weights = draw(
        st.lists(st.lists(st.integers(0, 4), min_size=len(rois), max_size=len(rois)), max_size=4)
    )
    return rois, np.array(weights, np.int64).reshape(len(weights), len(rois))


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
    assert samples["ap50"][0] == 1
    assert samples["ap50"][1] == pytest.approx(
        (51 + 50 * 2 / 3) / 101
    )  # hit, false alarm, hit, false alarm


def test_weights_of_one_give_the_figures_themselves(shared) -> None:
    images = json.loads((shared / "parity" / "parity.json").read_text())["images"]
    rois = []
    for image in images:
        truth, detected = (
            np.reshape(image[key], (-1, n))
            for key, n in (("mitotic_figures_px", 2), ("detections_px", 3))
        )
        rois.append(
            RoiPoints(
                truth * image["mpp"] / 1000, detected[:, :2] * image["mpp"] / 1000, detected[:, 2]
            )
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
        assert interval(0.5, samples["f1"]) == pytest.approx(Interval(0.5, NAN, NAN), nan_ok=True)


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
) -> dict[str, float]:
    """Of a list in which each ROI stands as often as its weight says."""
    rois = [
        each
        for each, weight in zip(zip(counts, areas, strict=True), weights, strict=True)
        for _ in range(weight)
    ]
    pooled, area = sum((c for c, _ in rois), Counts()), math.fsum(a for _, a in rois)
    figures, detected = pooled.tp + pooled.fn, pooled.tp + pooled.fp
    ratios = [
        pooled.fp / len(rois),
        pooled.fp / area,
        figures / area,
        detected / area,
        2 * figures / area,
    ]
    return dict(zip(RATES, [*ratios, 2 * detected / area], strict=True))


def test_rates_of_each_resample_are_those_of_the_literally_resampled_list() -> None:
    rng = np.random.default_rng(4)
    counts = [Counts(*map(int, rng.integers(0, 9, 3))) for _ in range(12)]
    areas = rng.uniform(0.5, 3, 12)
    weights = draw_weights([f"patient {at // 2}" for at in range(12)], 50, seed=1)
    ours = resample_rates(counts, areas, weights)
    for at, row in enumerate(weights.tolist()):
        for key, value in literal_rates(counts, areas.tolist(), row).items():
            assert ours[key][at] == pytest.approx(float(value), rel=1e-14, abs=0)


def test_rates_without_an_area_or_a_draw_are_nan() -> None:
    counts = [Counts(1, 2, 3), Counts(0, 1, 0)]
    unknown = resample_rates(counts, np.array([1.0, NAN]), np.array([[2, 0], [1, 1]]))
    assert unknown["fp_per_roi"].tolist() == [2, 1.5]
    assert all(np.isnan(rate).all() for key, rate in unknown.items() if key != "fp_per_roi")
    undrawn = resample_rates(counts, np.ones(2), np.zeros((3, 2), np.int64))
    assert np.isnan(list(undrawn.values())).tolist() == [[True] * 3] * 6
