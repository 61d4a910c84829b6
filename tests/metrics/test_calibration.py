"""Reliability curve and expected calibration error, against the plain rule and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error

from midog.metrics.calibration import reliability, resample_ece

on_edges = st.integers(0, 20).map(lambda step: step / 20)
points = st.lists(
    st.tuples(on_edges | st.floats(0, 1, allow_subnormal=False), st.booleans()), max_size=40
)


def columns(rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in rows], np.float64), np.array(
        [hit for _, hit in rows], bool
    )


@given(points, st.integers(1, 12))
def test_every_bin_says_what_the_plain_rule_says(rows, bins) -> None:
    curve = reliability(*columns(rows), bins=bins)
    assert curve.edges.shape == (bins + 1,)
    assert curve.count.dtype == np.int64
    ece = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [
            (score, hit)
            for score, hit in rows
            if low <= score < high or (b == bins - 1 and score == 1)
        ]
        assert (curve.edges[b], curve.edges[b + 1]) == (low, high)
        assert curve.count[b] == len(inside)
        if not inside:
            assert math.isnan(curve.mean_score[b])
            assert math.isnan(curve.hit_share[b])
            continue
        mean_score, hit_share = (sum(column) / len(inside) for column in zip(*inside, strict=True))
        assert curve.mean_score[b] == pytest.approx(mean_score, abs=1e-12)
        assert curve.hit_share[b] == pytest.approx(hit_share, abs=1e-12)
        ece += len(inside) / len(rows) * abs(mean_score - hit_share)
    if rows:
        assert curve.ece == pytest.approx(ece, abs=1e-12)
    else:
        assert math.isnan(curve.ece)


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
def test_the_error_is_that_of_torchmetrics(bins) -> None:
    rng = np.random.default_rng(3)
    scores = rng.beta(0.5, 0.8, size=600)
    hits = rng.random(600) < scores**2
    theirs = binary_calibration_error(
        torch.tensor(scores), torch.tensor(hits).long(), n_bins=bins, norm="l1"
    )
    assert reliability(scores, hits, bins).ece == pytest.approx(float(theirs), abs=1e-6)


@given(points, st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(rows, random) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = reliability(*columns(rows)), reliability(*columns(shuffled))
    assert np.array_equal(one.count, other.count)
    assert np.allclose(one.mean_score, other.mean_score, rtol=0, atol=1e-12, equal_nan=True)
    assert one.ece == pytest.approx(other.ece, abs=1e-12, nan_ok=True)


def test_scores_that_mean_what_they_say_have_no_error() -> None:
    scores = np.repeat([0.25, 0.75], 4)
    hits = np.array([True, False, False, False, True, True, True, False])
    assert reliability(scores, hits).ece == 0
    assert reliability(scores, ~hits).ece == 0.5


def test_an_edge_begins_its_bin_and_one_ends_the_last() -> None:
    scores = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert reliability(scores, [True] * 11).count.tolist() == [1] * 9 + [2]


@pytest.mark.filterwarnings("error")
def test_without_points_all_is_nan() -> None:
    curve = reliability([], [], bins=4)
    assert curve.count.tolist() == [0, 0, 0, 0]
    assert np.isnan(curve.mean_score).all()
    assert np.isnan(curve.hit_share).all()
    assert math.isnan(curve.ece)


@pytest.mark.parametrize("score", [-1e-9, np.nextafter(1, 2), math.nan, math.inf])
def test_a_score_outside_is_refused(score) -> None:
    with pytest.raises(ValueError, match="score 1 is"):
        reliability([0.5, score], [True, False])


@pytest.mark.parametrize(
    ("scores", "hits", "bins"),
    [([0.5], [True, False], 10), ([[0.5]], [[True]], 10), ([0.5], [0.7], 10), ([0.5], [True], 0)],
)
def test_what_makes_no_curve_is_refused(scores, hits, bins) -> None:
    with pytest.raises(ValueError, match="must be"):
        reliability(scores, hits, bins)
    with pytest.raises(ValueError, match="must be"):
        resample_ece(scores, hits, np.zeros(len(scores), np.int64), np.ones((1, 1), np.int64), bins)


@st.composite
def resampled(draw) -> tuple[list, np.ndarray]:
    """Points of each of R ROIs, and weights (B, R)."""
    rois = draw(
        st.lists(st.lists(st.tuples(on_edges, st.booleans()), max_size=6), min_size=1, max_size=5)
    )
    weights = st.lists(st.integers(0, 3), min_size=len(rois), max_size=len(rois))
    return rois, np.array(draw(st.lists(weights, min_size=1, max_size=4)), np.int64)


@given(resampled(), st.integers(1, 12))
@settings(max_examples=300)
def test_each_resample_is_the_error_of_the_literally_resampled_list(case, bins) -> None:
    rois, weights = case
    owner = np.repeat(np.arange(len(rois)), [len(roi) for roi in rois])
    ours = resample_ece(*columns([point for roi in rois for point in roi]), owner, weights, bins)
    for at, row in enumerate(weights):
        drawn = [
            point
            for roi, weight in zip(rois, row, strict=True)
            for _ in range(weight)
            for point in roi
        ]
        assert ours[at] == pytest.approx(
            reliability(*columns(drawn), bins=bins).ece, abs=1e-12, nan_ok=True
        )
