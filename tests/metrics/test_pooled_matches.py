"""Matches of all ROIs at once equal those that are made point by point."""

from __future__ import annotations

import numpy as np
import pytest

from midog.metrics.matching import match_points
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import (
    HALF_SIDE_MM,
    PooledMatches,
    matched_by_overlap,
    matched_by_radius,
)
from tests.metrics import baseline


def random_roi(random: np.random.Generator) -> RoiPoints:
    """From lone figures to a crowd; on a grid of mm that floats hold exactly, so that distances
    tie, or anywhere.

    Points lie on figures, near them, twice in a place, or anywhere, left of and above 0 too; scores
    differ or tie.
    """
    n, m, side = random.integers(0, 25), random.integers(0, 60), random.choice([10, 30, 100, 1000])
    truth, detected = (
        random.integers(-side, side, (n, 2)) / 512,
        random.integers(-side, side, (m, 2)) / 512,
    )
    if random.random() < 0.5:
        truth, detected = (
            random.uniform(-side, side, (n, 2)) / 512,
            random.uniform(-side, side, (m, 2)) / 512,
        )
    if n:
        near = truth[random.integers(0, n, m)] + random.choice(
            [0, 1 / 512, 2 / 512, 0.0075], (m, 2)
        )
        detected = np.where(random.random((m, 1)) < 0.7, near, detected)
        truth = np.where(random.random((n, 1)) < 0.1, truth[random.integers(0, n, n)], truth)
    scores = random.choice(
        [random.random(m), random.integers(1, 5, m) / 5, np.full(m, 0.5)], p=[0.45, 0.45, 0.1]
    )
    return RoiPoints(truth, detected, scores)


@pytest.fixture(scope="module")
def rois() -> list[RoiPoints]:
    return [random_roi(np.random.default_rng(seed)) for seed in range(600)]


def test_matches_by_radius_equal_those_made_point_by_point(rois) -> None:
    expected = [baseline.matched_by_radius(roi) for roi in rois]
    for roi, matched in zip(rois, expected, strict=True):
        np.testing.assert_array_equal(matched_by_radius([roi]), matched)
    np.testing.assert_array_equal(matched_by_radius(rois), np.concatenate(expected))


@pytest.mark.parametrize(
    ("half_side", "iou"), [(HALF_SIDE_MM, 0.5), (HALF_SIDE_MM, 0.1), (4 / 512, 1 / 3)]
)
def test_matches_by_overlap_equal_those_made_point_by_point(rois, half_side, iou) -> None:
    expected = [baseline.matched_by_overlap(roi, half_side, iou) for roi in rois[:200]]
    for roi, matched in zip(rois, expected, strict=False):
        np.testing.assert_array_equal(matched_by_overlap([roi], half_side, iou), matched)
    np.testing.assert_array_equal(
        matched_by_overlap(rois[:200], half_side, iou), np.concatenate(expected)
    )


def test_as_many_hits_as_the_plain_rule_matches_and_no_more_than_figures(rois) -> None:
    for roi in rois:
        assert matched_by_radius([roi]).sum() == match_points(roi.truth_mm, roi.detected_mm).tp


def test_a_lone_figure_is_hit_by_the_highest_score_in_reach_and_by_the_first_of_equals() -> None:
    roi = RoiPoints([(0, 0)], [(0, 0), (0, 0.007), (0.007, 0), (0, 0.009)], [0.3, 0.8, 0.8, 0.9])
    assert (
        matched_by_radius([roi]).tolist()
        == matched_by_overlap([roi], HALF_SIDE_MM, 0.5).tolist()
        == [False, True, False, False]
    )


def test_a_distance_on_the_rim_counts_as_the_plain_rule_has_it() -> None:
    steps = np.arange(-40, 41)
    for mpp in (0.25, 0.2275, 0.23, 0.5):
        radius_px = 7.5 / mpp
        figures = np.arange(0, 81)[:, None] * [1000.0, 0.0] + steps[:, None] * [0.0, 3.0]
        for shift in ((radius_px, 0), (0, -radius_px), (18 * 0.25 / mpp, 24 * 0.25 / mpp)):
            truth, detected = figures * mpp / 1000, (figures + shift) * mpp / 1000
            matched = matched_by_radius([RoiPoints(truth, detected, np.full(81, 0.5))])
            taken = match_points(truth, detected).truth_to_detection
            assert np.flatnonzero(matched).tolist() == taken[taken >= 0].tolist()


def test_nothing_at_all() -> None:
    for rois in ([], [RoiPoints([], [], [])], [RoiPoints([(0, 0)], [], []), RoiPoints([], [], [])]):
        assert (
            matched_by_radius(rois).tolist()
            == matched_by_overlap(rois, HALF_SIDE_MM, 0.5).tolist()
            == []
        )
        matched = PooledMatches.of(rois)
        assert len(matched.scores) == len(matched.owner) == 0
        assert matched.figures.tolist() == [len(roi.truth_mm) for roi in rois]


def test_hits_of_some_rois_are_those_that_are_matched_alone(rois) -> None:
    together = PooledMatches.of(rois[:60])
    random = np.random.default_rng(0)
    for members in ([], [7], [3, 3, 1], range(60), random.permutation(60), np.arange(0, 60, 4)):
        alone = PooledMatches.of([rois[at] for at in members])
        for name, values in vars(together.select(members)).items():
            expected = getattr(alone, name)
            assert values.dtype == expected.dtype
            np.testing.assert_array_equal(values, expected, err_msg=name)


def test_squares_that_do_not_touch_never_hit() -> None:
    roi = RoiPoints([(0, 0)], [(2.1 * HALF_SIDE_MM, 0)], [0.9])
    assert matched_by_overlap([roi], HALF_SIDE_MM, 0.0).tolist() == [False]
