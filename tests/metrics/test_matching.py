"""The challenge's matching rule, against the challenge's own scorer."""

from __future__ import annotations

import numpy as np
import pytest
from grand_challenge_metrics.scorers import score_detection
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.metrics.matching import match_points

MPP = 0.25
RADIUS_PX = 30
ON_THE_RIM = [
    (30, 0),
    (-30, 0),
    (0, 30),
    (0, -30),
    (18, 24),
    (24, 18),
    (-18, 24),
    (24, -18),
    (-24, -18),
]


def to_mm(points_px) -> np.ndarray:
    return np.asarray(points_px, np.float64).reshape(-1, 2) * MPP / 1000


def counts(truth, detected) -> tuple[int, int, int]:
    matches = match_points(truth, detected)
    return matches.tp, matches.fp, matches.fn


def field_counts(truth, detected) -> tuple[int, int, int]:
    """What the challenge's container says: points with z = 0, in lists."""
    score = score_detection(
        ground_truth=[[x, y, 0] for x, y in truth],
        predictions=[[x, y, 0] for x, y in detected],
        radius=7.5e-3,
    )
    return score.true_positives, score.false_positives, score.false_negatives


def field_counts_by_the_leaf_rule(truth, detected) -> tuple[int, int, int]:
    """The same with two points far off on either side, so that its tree never decides by the bounds
    of a ball."""
    tp, fp, fn = field_counts(truth, [*map(tuple, detected), (-1000.0, 0.0), (1000.0, 0.0)])
    return tp, fp - 2, fn


crowded_px = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=14)
crowded_exact = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12
)  # mm / 512: floats hold it
crowded_mm = st.lists(st.tuples(st.floats(0, 0.03), st.floats(0, 0.03)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(crowded_px, crowded_px)
def test_integer_pixels_equal_the_fields_scorer(truth_px, found_px) -> None:
    truth, detected = to_mm(truth_px), to_mm(found_px)
    assert counts(truth, detected) == field_counts_by_the_leaf_rule(truth, detected)


@settings(max_examples=150, deadline=None)
@given(crowded_exact, crowded_exact)
def test_exact_ties_equal_the_fields_scorer(truth_grid, found_grid) -> None:
    truth, detected = (
        np.array(truth_grid).reshape(-1, 2) / 512,
        np.array(found_grid).reshape(-1, 2) / 512,
    )
    assert counts(truth, detected) == field_counts_by_the_leaf_rule(truth, detected)


@settings(max_examples=150, deadline=None)
@given(crowded_mm, crowded_mm)
def test_crowded_floats_equal_the_fields_scorer(truth, detected) -> None:
    assert counts(truth, detected) == field_counts_by_the_leaf_rule(truth, detected)


@pytest.mark.parametrize(("figures", "points"), [(1, 1), (30, 60), (200, 500), (150, 3000)])
def test_random_rois_equal_the_fields_scorer_as_it_is(figures, points) -> None:
    random = np.random.default_rng(figures + points)
    for _ in range(20):
        truth = to_mm(random.uniform(0, 900, (figures, 2)))
        detected = to_mm(random.uniform(0, 900, (points, 2)))
        assert counts(truth, detected) == field_counts(truth, detected)


def test_at_exactly_30_px_the_rounding_decides_as_in_the_fields_scorer() -> None:
    random = np.random.default_rng(0)
    matched = 0
    for _ in range(100):
        # Figures stand too far apart to share a point, so the count is that of the pairs at the rim
        # that match.
        truth_px = np.stack(np.meshgrid(np.arange(6), np.arange(6)), -1).reshape(-1, 2) * 150.0
        truth_px += random.integers(0, 6000, 2) / 2
        found_px = (
            truth_px + np.array(ON_THE_RIM)[random.integers(0, len(ON_THE_RIM), len(truth_px))]
        )
        truth, detected = to_mm(truth_px), to_mm(found_px)
        assert counts(truth, detected) == field_counts_by_the_leaf_rule(truth, detected)
        matched += match_points(truth, detected).tp
    assert 0.2 < matched / 3600 < 0.8  # both outcomes were met


def test_distance_of_the_radius_matches_and_beyond_it_does_not() -> None:
    figure = [[0.0, 0.0]]
    assert match_points(figure, [[0.0075, 0.0]]).tp == 1
    assert match_points(figure, [[np.nextafter(0.0075, 1), 0.0]]).tp == 0
    assert match_points(figure, [[0.02, 0.0]], radius_mm=0.02).tp == 1


def test_figures_choose_in_file_order_even_where_another_assignment_finds_more() -> None:
    truth = to_mm([[0, 0], [20, 0]])
    detected = to_mm([[10, 0], [-25, 0]])
    assert match_points(truth, detected).truth_to_detection.tolist() == [0, -1]
    assert match_points(truth[::-1], detected).truth_to_detection.tolist() == [0, 1]


def test_of_equally_near_points_the_lower_index_is_taken() -> None:
    truth = to_mm([[50, 50]])
    assert match_points(
        truth, to_mm([[60, 50], [40, 50], [50, 50 + 10]])
    ).truth_to_detection.tolist() == [0]
    assert match_points(
        truth, to_mm([[50, 60], [50, 50], [50, 50]])
    ).truth_to_detection.tolist() == [1]


@settings(max_examples=100, deadline=None)
@given(crowded_px, crowded_px)
def test_no_point_is_taken_twice_and_counts_add_up(truth_px, found_px) -> None:
    matches = match_points(to_mm(truth_px), to_mm(found_px))
    taken = matches.truth_to_detection[matches.truth_to_detection >= 0]
    assert len(set(taken.tolist())) == len(taken) == matches.tp
    assert matches.tp + matches.fn == len(truth_px)
    assert matches.tp + matches.fp == len(found_px)


@pytest.mark.parametrize(
    ("truth", "detected", "expected"), [([], [], (0, 0, 0)), ([], [[1, 1]], (0, 1, 0))]
)
def test_without_figures(truth, detected, expected) -> None:
    assert counts(truth, detected) == expected


def test_without_found_points() -> None:
    matches = match_points(np.array([[1.0, 1.0], [2.0, 2.0]]), np.zeros((0, 2)))
    assert (matches.tp, matches.fp, matches.fn) == (0, 0, 2)
    assert matches.truth_to_detection.dtype == np.int64
    assert matches.truth_to_detection.tolist() == [-1, -1]


def test_many_points_in_one_place() -> None:
    truth = to_mm(np.random.default_rng(1).uniform(0, 7000, (300, 2)))
    detected = np.repeat(truth, 100, axis=0)
    matches = match_points(truth, detected)
    assert (matches.tp, matches.fp, matches.fn) == (300, 29_700, 0)


@pytest.mark.parametrize("bad", [[[1.0, 2.0, 0.0]], [1.0, 2.0], [[np.nan, 1.0]], [[np.inf, 1.0]]])
def test_wrong_points_are_refused(bad) -> None:
    with pytest.raises(ValueError, match="point"):
        match_points(bad, [[0.0, 0.0]])
    with pytest.raises(ValueError, match="point"):
        match_points([[0.0, 0.0]], bad)
