"""Which threshold each goal gives, and what is said where none reaches it."""

from __future__ import annotations

import math

import pytest

from midog.errors import ConfigError, DetectionsError
from midog.evaluation.goals import Goal, choose_threshold
from midog.metrics.counts import Counts, counts_at
from midog.metrics.points import RoiPoints
from tests.evaluation.cases import NO, YES

FIGURES = [(500 * number, 500) for number in range(1, 5)]
"""In px of 0.25 um, on 1 mm2."""

# By falling score a false alarm, three hits, a false alarm, the last hit, a false alarm: the
# precision is 0, 1/2, 2/3, 3/4, 3/5, 4/6, 4/7 and F1 0, 1/3, 4/7, 3/4, 2/3, 4/5, 8/11.
POINTS = [
    *[(9, 9, 0.9, YES), (500, 500, 0.8, YES), (1000, 500, 0.7, NO), (1500, 500, 0.6, NO)],
    *[(9, 90, 0.5, NO), (2000, 500, 0.4, NO), (9, 900, 0.3, NO)],
]


def as_points(points: list[tuple[float, float, float, str]]) -> RoiPoints:
    """Those points of VAL, in mm."""
    scale = 0.25 / 1000
    val_folder = [(x * scale, y * scale) for x, y, *_ in points]
    return RoiPoints(
        [(x * scale, y * scale) for x, y in FIGURES], val_folder, [score for *_, score, _ in points]
    )


@pytest.mark.parametrize(
    ("goal", "threshold", "counts"),
    [
        (Goal(), 0.35, Counts(4, 2, 0)),
        (Goal(precision=0.7), 0.55, Counts(3, 1, 1)),
        (Goal(precision=0.75), 0.55, Counts(3, 1, 1)),
        (Goal(precision=0.6), 0.35, Counts(4, 2, 0)),
        (Goal(fp_per_mm2=1), 0.55, Counts(3, 1, 1)),
        (Goal(fp_per_mm2=1.5), 0.55, Counts(3, 1, 1)),
        (Goal(fp_per_mm2=2), 0.35, Counts(4, 2, 0)),
    ],
    ids=str,
)
def test_each_goal_gives_its_threshold(goal, threshold, counts) -> None:
    chosen = choose_threshold([as_points(POINTS)], 1.0, goal)
    assert chosen == pytest.approx(threshold)
    assert counts_at([as_points(POINTS)], chosen) == counts


@pytest.mark.parametrize(
    ("points", "goal", "says"),
    [
        (
            POINTS,
            Goal(precision=0.8),
            "no threshold has a precision of 0.8 on val: the highest is 0.750; ask for less",
        ),
        (POINTS[:1], Goal(precision=0.1), "no mitotic figure of val at any threshold"),
        (
            POINTS[:1],
            Goal(),
            "no mitotic figure of val at any threshold, so none can be chosen; train it further",
        ),
        (POINTS[:1], Goal(fp_per_mm2=5), "no mitotic figure of val at any threshold"),
        (POINTS[:3], Goal(precision=0.6667), "the highest is 0.666;"),
        (
            POINTS,
            Goal(fp_per_mm2=0),
            "at most 0 false positives per mm2: the fewest are 1.000; allow more",
        ),
        (
            POINTS,
            Goal(fp_per_mm2=0.99),
            "no threshold that detects a figure of val has at most 0.99 false",
        ),
        ([(500, 500, 0, YES)], Goal(precision=0.1), "no mitotic figure of val at any threshold"),
        ([], Goal(precision=0.1), "no mitotic figure of val at any threshold"),
        ([], Goal(), "no mitotic figure of val at any threshold"),
    ],
)
def test_a_goal_out_of_reach_is_an_error_that_says_what_can_be_had(points, goal, says) -> None:
    with pytest.raises(DetectionsError) as error:
        choose_threshold([as_points(points)], 1.0, goal)
    assert says in str(error.value)


def test_the_precision_that_is_offered_can_be_had() -> None:
    points = [RoiPoints([(0, 0), (1, 1)], [(5, 5), (0, 0), (1, 1)], [0.9, 0.8, 0.7])]
    with pytest.raises(DetectionsError, match=r"highest is 0\.666"):
        choose_threshold(points, 1.0, Goal(precision=0.7))
    assert choose_threshold(points, 1.0, Goal(precision=0.666)) == pytest.approx(0.35)


def test_the_rate_that_is_offered_can_be_had() -> None:
    with pytest.raises(DetectionsError, match=r"the fewest are 0\.334"):
        choose_threshold([as_points(POINTS)], 3.0, Goal(fp_per_mm2=0.333))
    assert choose_threshold([as_points(POINTS)], 3.0, Goal(fp_per_mm2=0.334)) == pytest.approx(0.55)


def test_false_positives_per_mm2_need_an_area() -> None:
    with pytest.raises(DetectionsError, match="mm2 of an ROI of val are not known; give mpp"):
        choose_threshold([as_points(POINTS)], math.nan, Goal(fp_per_mm2=1))
    assert choose_threshold([as_points(POINTS)], math.nan, Goal()) == pytest.approx(0.35)


def test_no_figures_to_choose_by() -> None:
    with pytest.raises(DetectionsError, match="no ROI of val has a mitotic figure"):
        choose_threshold([RoiPoints([], [(0, 0)], [0.5])], 1.0, Goal())


@pytest.mark.parametrize(
    ("goal", "says"),
    [
        ({"precision": 0.5, "fp_per_mm2": 1}, "two goals; choose precision or fp_per_mm2"),
        ({"precision": 0}, "a precision of 0 is out of range"),
        ({"precision": 1.01}, "a precision of 1.01 is out of range"),
        ({"precision": math.nan}, "a precision of nan is out of range"),
        ({"fp_per_mm2": -1}, "-1 false positives per mm2 are out of range"),
        ({"fp_per_mm2": math.inf}, "inf false positives per mm2 are out of range"),
        ({"fp_per_mm2": math.nan}, "nan false positives per mm2 are out of range"),
    ],
)
def test_a_goal_that_is_none(goal, says) -> None:
    with pytest.raises(ConfigError, match=says):
        Goal(**goal)
