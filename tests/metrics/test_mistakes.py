"""Kinds of false alarm and scores of misses, against the plain rule and the matching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.metrics.matching import match_points
from midog.metrics.mistakes import (
    FALSE_ALARMS,
    MISS_DISTANCES,
    MISSED_BELOW,
    MISSED_TAKEN,
    MISSED_WHOLLY,
    MISSES,
    NEAR_UM,
    false_alarm_kinds,
    kinds_of_misses,
    miss_distance,
    miss_scores,
)

# On a grid of 1/2048 mm (0.49 um) floats are exact; some points a few um apart, some up to 60.
grid = st.tuples(st.integers(0, 24), st.integers(0, 24)) | st.tuples(
    st.integers(0, 120), st.integers(0, 120)
)
some = st.lists(grid.map(lambda xy: (xy[0] / 2048, xy[1] / 2048)), max_size=8)
scores_10 = st.integers(0, 10).map(lambda step: step / 10)


def um(*points) -> np.ndarray:
    return np.asarray(points, np.float64).reshape(-1, 2) / 1000


def distance_um(one, other) -> float:
    return 1000 * float(np.hypot(one[0] - other[0], one[1] - other[1]))


def plain_kind(point, figures, imposters) -> str:
    figure = min((distance_um(point, other) for other in figures), default=np.inf)
    imposter = min((distance_um(point, other) for other in imposters), default=np.inf)
    if imposter <= 7.5 and imposter <= figure:
        return "imposter"
    if figure <= 7.5:
        return "double"
    return "near imposter" if imposter <= 25 else "nothing"


@given(some, some, some)
def test_each_kind_is_the_plain_rules(detected, figures, imposters) -> None:
    assert false_alarm_kinds(detected, figures, imposters) == [
        plain_kind(p, figures, imposters) for p in detected
    ]


@given(some, some)
def test_a_double_is_a_point_whose_figure_took_another(detected, figures) -> None:
    matches = match_points(figures, detected)
    false_alarms = np.setdiff1d(np.arange(len(detected)), matches.truth_to_detection)
    kinds = false_alarm_kinds(np.asarray(detected).reshape(-1, 2)[false_alarms], figures, [])
    for point, kind in zip(false_alarms, kinds, strict=True):
        within = [
            at for at, figure in enumerate(figures) if distance_um(figure, detected[point]) <= 7.5
        ]
        assert kind == ("double" if within else "nothing")
        assert all(matches.truth_to_detection[at] >= 0 for at in within)


def test_the_kinds_one_by_one() -> None:
    imposters, figures = um((0, 0), (200, 0)), um((100, 0), (204, 0))
    detected = um(
        (7, 0), (8, 0), (25, 0), (25.1, 0), (107, 0), (108, 0), (201, 0), (203, 0), (500, 500)
    )
    expected = [
        "imposter",
        "near imposter",
        "near imposter",
        "nothing",
        "double",
        "nothing",
        "imposter",
        "double",
    ]
    kinds = false_alarm_kinds(detected, figures, imposters)
    assert kinds == [*expected, "nothing"]
    assert set(kinds) == set(FALSE_ALARMS)
    assert all(type(kind) is str for kind in kinds)


def test_both_rims_belong_to_the_kind() -> None:
    assert NEAR_UM == 25
    assert false_alarm_kinds(um((7.5, 0)), [], um((0, 0))) == ["imposter"]
    assert false_alarm_kinds(um((7.5, 0)), um((0, 0)), []) == ["double"]
    assert false_alarm_kinds(um((25, 0)), [], um((0, 0))) == ["near imposter"]


def test_of_equal_distances_the_imposter_counts() -> None:
    assert false_alarm_kinds(um((0, 0)), um((3, 0)), um((-3, 0))) == ["imposter"]


def test_a_near_imposter_does_not_hide_a_double() -> None:
    assert false_alarm_kinds(um((0, 0)), um((7, 0)), um((-8, 0))) == ["double"]


def test_kinds_of_nothing() -> None:
    nowhere = np.zeros((0, 2))
    assert false_alarm_kinds(nowhere, nowhere, nowhere) == []
    assert false_alarm_kinds(nowhere, um((0, 0)), um((1, 1))) == []
    assert false_alarm_kinds(um((0, 0), (1, 1)), nowhere, nowhere) == ["nothing", "nothing"]


@given(
    some,
    st.lists(st.tuples(grid.map(lambda xy: (xy[0] / 2048, xy[1] / 2048)), scores_10), max_size=12),
)
def test_a_miss_has_the_highest_score_within_reach(missed, points) -> None:
    scores = miss_scores(missed, [xy for xy, _ in points], [score for _, score in points])
    expected = [
        max((score for xy, score in points if distance_um(figure, xy) <= 7.5), default=np.nan)
        for figure in missed
    ]
    assert scores.dtype == np.float64
    assert np.array_equal(scores, np.array(expected, np.float64), equal_nan=True)


def test_misses_of_nothing() -> None:
    assert miss_scores([], [], []).shape == (0,)
    assert miss_scores([], um((0, 0)), [0.3]).shape == (0,)
    assert np.isnan(miss_scores(um((0, 0), (5, 5)), [], [])).all()


def test_a_miss_on_the_rim_and_beyond() -> None:
    points = um((7.5, 0), (0, 7.6))
    assert miss_scores(um((0, 0)), points, [0.2, 0.4]).tolist() == [0.2]
    assert miss_scores(um((0, 0)), points, [-3, 0.4]).tolist() == [
        -3
    ]  # a stranger's scores may be logits


def plain_miss(figure, points) -> tuple[str, float]:
    """points: (place, score, whether it counts)."""
    near = [(score, counts) for xy, score, counts in points if distance_um(figure, xy) <= 7.5]
    for kind, wanted in ((MISSED_BELOW, False), (MISSED_TAKEN, True)):
        scores = [score for score, counts in near if counts == wanted]
        if scores:
            return kind, max(scores)
    return MISSED_WHOLLY, np.nan


places = grid.map(lambda xy: (xy[0] / 2048, xy[1] / 2048))


@given(some, st.lists(st.tuples(places, scores_10, st.booleans()), max_size=12))
def test_each_kind_of_miss_is_the_plain_rules(missed, points) -> None:
    at, of, counted = ([each[i] for each in points] for i in range(3))
    kinds, best = kinds_of_misses(missed, at, of, np.array(counted, bool))
    assert list(zip(kinds, map(repr, best.tolist()), strict=True)) == [
        (kind, repr(float(score)))
        for kind, score in (plain_miss(figure, points) for figure in missed)
    ]


@given(some, st.lists(st.tuples(places, st.booleans()), max_size=12))
def test_a_point_that_counts_beside_a_miss_went_to_another_figure(figures, points) -> None:
    """So that the kind's name is true: the matching never leaves it free."""
    detected, counted = [xy for xy, _ in points], np.array([counts for _, counts in points], bool)
    matches = match_points(figures, np.reshape(detected, (-1, 2))[counted])
    missed = np.reshape(figures, (-1, 2))[matches.truth_to_detection < 0]
    kinds, _ = kinds_of_misses(missed, detected, np.zeros(len(detected)), counted)
    taken = set(matches.truth_to_detection.tolist())
    for figure, kind in zip(missed, kinds, strict=True):
        near = [
            at
            for at, xy in enumerate(np.reshape(detected, (-1, 2))[counted])
            if distance_um(figure, xy) <= 7.5
        ]
        assert set(near) <= taken
        assert kind != MISSED_TAKEN or near


def test_kinds_of_misses_one_by_one() -> None:
    detected, counted = (
        um((5, 0), (100, 0), (104, 0), (200, 0)),
        np.array([False, True, False, True]),
    )
    kinds, best = kinds_of_misses(
        um((0, 0), (102, 0), (205, 0), (300, 0)), detected, [0.3, 0.9, 0.2, 0.8], counted
    )
    assert kinds == [MISSED_BELOW, MISSED_BELOW, MISSED_TAKEN, MISSED_WHOLLY]
    assert best[:3].tolist() == [0.3, 0.2, 0.8]
    assert np.isnan(best[3])
    assert set(kinds) == set(MISSES)
    assert all(type(kind) is str for kind in kinds)


@pytest.mark.parametrize(
    ("kind", "to_threshold", "where"),
    [
        (MISSED_BELOW, -1e-6, "up to 0.05"),
        (MISSED_BELOW, 0.6 - 0.65, "up to 0.05"),  # -0.05000000000000004
        (MISSED_BELOW, -0.051, "0.05 to 0.1"),
        (MISSED_BELOW, 0.5 - 0.6, "0.05 to 0.1"),
        (MISSED_BELOW, -0.101, "0.1 to 0.25"),
        (MISSED_BELOW, -0.25, "0.1 to 0.25"),
        (MISSED_BELOW, -0.251, "over 0.25"),
        (MISSED_BELOW, -1, "over 0.25"),
        (MISSED_BELOW, 0, "other name"),
        (MISSED_BELOW, 0.3, "other name"),
        (MISSED_BELOW, np.nan, "other name"),
        (MISSED_TAKEN, 0.2, "its point went to another figure"),
        (MISSED_WHOLLY, np.nan, "not found at all"),
    ],
)
def test_how_far_below_the_threshold_a_miss_is(kind, to_threshold, where) -> None:
    assert miss_distance(kind, to_threshold) == where
    assert where in MISS_DISTANCES


@pytest.mark.parametrize("scores", [[0.1, 0.2], [np.nan], [[0.1]]])
def test_scores_that_do_not_fit_are_refused(scores) -> None:
    with pytest.raises(ValueError, match="scores must be"):
        miss_scores(um((0, 0)), um((1, 1)), scores)


def test_points_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        false_alarm_kinds(um((np.nan, 0)), [], [])
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        false_alarm_kinds(np.zeros((3, 3)), [], [])
