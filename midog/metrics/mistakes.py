"""Mistakes by kind: what a false alarm lies on, why a figure was missed, and how far below the
threshold its best detection is."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

from midog.metrics.matching import RADIUS_MM, pairs_in_blocks
from midog.metrics.points import Points, Values, as_points

FALSE_ALARMS = ("imposter", "near imposter", "double", "nothing")
"""Kinds of false alarm, see `false_alarm_kinds`."""

NEAR_UM = 25.0
"""Up to this distance from an imposter a false alarm counts as near it."""

MISSED_BELOW = "missed, found below the threshold"
MISSED_TAKEN = "missed, its point went to another figure"
MISSED_WHOLLY = "missed, not found at all"
MISSES = (MISSED_BELOW, MISSED_TAKEN, MISSED_WHOLLY)
"""Kinds of miss, see `kinds_of_misses`."""

_SHORT_OF = (0.05, 0.1, 0.25)
OTHER_NAME, _TAKEN, _WHOLLY = "other name", "its point went to another figure", "not found at all"
MISS_DISTANCES = (
    "up to 0.05",
    "0.05 to 0.1",
    "0.1 to 0.25",
    "over 0.25",
    OTHER_NAME,
    _TAKEN,
    _WHOLLY,
)
"""How far below the threshold the best point of a missed figure lies, see `miss_distance`."""


def false_alarm_kinds(
    false_alarms_mm: Points, figures_mm: Points, imposters_mm: Points
) -> list[str]:
    """Tell what each false alarm of an ROI lies on.

    Args:
        false_alarms_mm: (M, 2) x y in mm.
        figures_mm: (N, 2) all true figures of the ROI.
        imposters_mm: (K, 2) all its imposters.

    Returns:
        One of FALSE_ALARMS for each, the first that holds:
        'imposter': an imposter lies within the challenge's 7.5 um, and no figure lies nearer;
        'double': a figure lies within 7.5 um; it took another detection, else this were no false
        alarm;
        'near imposter': an imposter lies within 25 um (`NEAR_UM`);
        'nothing': none of these.

    Raises:
        ValueError: If an array is not (·, 2) or not finite.
    """
    alarms, figures, imposters = map(as_points, (false_alarms_mm, figures_mm, imposters_mm))
    to_figure = _nearest(alarms, figures, RADIUS_MM)
    to_imposter = _nearest(alarms, imposters, RADIUS_MM)
    on_imposter = np.isfinite(to_imposter) & (to_imposter <= to_figure)
    double = np.isfinite(to_figure)
    near_imposter = np.isfinite(_nearest(alarms, imposters, NEAR_UM / 1000))
    kinds = np.select(
        [on_imposter, double, near_imposter], ["imposter", "double", "near imposter"], "nothing"
    )
    return [str(kind) for kind in kinds]


def kinds_of_misses(
    missed_mm: Points, detected_mm: Points, scores: ArrayLike, counted: NDArray[np.bool_]
) -> tuple[list[str], Values]:
    """Tell why each missed figure of an ROI was missed, and the score of its best detection.

    Args:
        missed_mm: (N, 2) the missed figures, x y in mm.
        detected_mm: (M, 2) all detections of the ROI.
        scores: (M,) float64, finite.
        counted: (M,) bool, which detections count.

    Returns:
        Kinds, one of MISSES for each figure, the first that holds:
        MISSED_BELOW: a detection that does not count lies within 7.5 um. The score is the highest
        of these.
        MISSED_TAKEN: a detection that counts lies within 7.5 um; it went to another figure, else
        this were no miss. The score is the highest of these.
        MISSED_WHOLLY: neither; the score is NaN.
        The first goes before the second, as a lower threshold would detect that figure.
        And the scores (N,) float64.

    Raises:
        ValueError: If an array is not (·, 2), shapes disagree or a value is not finite.
    """
    detected, scores = as_points(detected_mm), np.asarray(scores, np.float64)
    below, taken = (
        miss_scores(missed_mm, detected[which], scores[which]) for which in (~counted, counted)
    )
    kinds = np.select(
        [~np.isnan(below), ~np.isnan(taken)], [MISSED_BELOW, MISSED_TAKEN], MISSED_WHOLLY
    )
    return [str(kind) for kind in kinds], np.where(np.isnan(below), taken, below)


def miss_distance(kind: str, to_threshold: float) -> str:
    """Return the range, one of MISS_DISTANCES, of how far below the threshold a miss lies.

    Args:
        kind: One of MISSES.
        to_threshold: Score of the figure's best detection less the threshold. It is not below 0 for
            a detection of another name (names were counted, not scores), and NaN where names were
            counted and no detection counts anywhere.

    Returns:
        The range; each holds its upper end.
    """
    if kind in (MISSED_TAKEN, MISSED_WHOLLY):
        return _TAKEN if kind == MISSED_TAKEN else _WHOLLY
    if not to_threshold < 0:
        return OTHER_NAME
    short = round(-to_threshold, 9)  # 0.65 - 0.6 is a hair over 0.05
    return MISS_DISTANCES[bisect_left(_SHORT_OF, short)]


def miss_scores(missed_mm: Points, detected_mm: Points, scores: ArrayLike) -> Values:
    """Return the highest score of the detections within 7.5 um of each missed figure.

    Args:
        missed_mm: (N, 2) x y in mm.
        detected_mm: (M, 2) the detections in question.
        scores: (M,) float64, finite.

    Returns:
        (N,) float64, NaN where none is so near.

    Raises:
        ValueError: If an array is not (·, 2), shapes disagree or a value is not finite.
    """
    missed, detected = as_points(missed_mm), as_points(detected_mm)
    scores = np.asarray(scores, np.float64)
    if scores.shape != (len(detected),) or not np.isfinite(scores).all():
        raise ValueError(f"scores must be ({len(detected)},) and finite, got {scores.shape}")
    highest = np.full(len(missed), -np.inf)
    for pairs in pairs_in_blocks(missed, detected, RADIUS_MM):
        np.maximum.at(highest, pairs.truth, scores[pairs.detected])
    highest[np.isneginf(highest)] = np.nan
    return highest


def _nearest(points: Points, others: Points, reach_mm: float) -> Values:
    """Distance (M,) in mm from each point to the nearest of `others`, inf if none is in reach."""
    nearest = np.full(len(points), np.inf)
    for pairs in pairs_in_blocks(points, others, reach_mm):
        np.minimum.at(nearest, pairs.truth, pairs.distance)
    return nearest
