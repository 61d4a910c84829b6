"""Mistakes by kind: what a false alarm lies on, why a figure was missed, and how near to the
threshold it was."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

from midog.metrics.counts import Values
from midog.metrics.matching import RADIUS_MM, Points, as_points, pairs_within

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


def false_alarm_kinds(found_mm: Points, figures_mm: Points, imposters_mm: Points) -> list[str]:
    """What each false alarm (M, 2) lies on, given all figures (N, 2) and imposters (K, 2) of the
    ROI; x y in mm.

    One of FALSE_ALARMS for each, the first that holds:
    'imposter': an imposter lies within the challenge's 7.5 um, and no figure lies nearer;
    'double': a figure lies within 7.5 um; it took another point, else this were no false alarm;
    'near imposter': an imposter lies within 25 um (`NEAR_UM`);
    'nothing': none of these.
    Raises ValueError where an array is not (·, 2) or not finite.
    """
    found, figures, imposters = as_points(found_mm), as_points(figures_mm), as_points(imposters_mm)
    to_figure = _nearest(found, figures, RADIUS_MM)
    to_imposter = _nearest(found, imposters, RADIUS_MM)
    on_imposter = np.isfinite(to_imposter) & (to_imposter <= to_figure)
    double = np.isfinite(to_figure)
    near_imposter = np.isfinite(_nearest(found, imposters, NEAR_UM / 1000))
    kinds = np.select(
        [on_imposter, double, near_imposter], ["imposter", "double", "near imposter"], "nothing"
    )
    return [str(kind) for kind in kinds]


def kinds_of_misses(
    missed_mm: Points, found_mm: Points, scores: ArrayLike, counted: NDArray[np.bool_]
) -> tuple[list[str], Values]:
    """Why each missed figure (N, 2) was missed, and the score (N,) of its best point; x y in mm.

    found_mm (M, 2), scores (M,), counted (M,) bool: all points of the ROI, and which of them count.
    The kind is one of MISSES, the first that holds:
    MISSED_BELOW: a point that does not count lies within 7.5 um. The score is the highest of these.
    MISSED_TAKEN: a point that counts lies within 7.5 um; it went to another figure, else this were
    no miss. The score is the highest of these.
    MISSED_WHOLLY: neither; the score is NaN.
    The first goes before the second, as a lower threshold would find that figure.
    Raises ValueError where an array is not (·, 2), shapes disagree or a value is not finite.
    """
    found, scores = as_points(found_mm), np.asarray(scores, np.float64)
    below, taken = (
        miss_scores(missed_mm, found[which], scores[which]) for which in (~counted, counted)
    )
    kinds = np.select(
        [~np.isnan(below), ~np.isnan(taken)], [MISSED_BELOW, MISSED_TAKEN], MISSED_WHOLLY
    )
    return [str(kind) for kind in kinds], np.where(np.isnan(below), taken, below)


def miss_distance(kind: str, to_threshold: float) -> str:
    """The one of MISS_DISTANCES of a miss of that kind, whose best point has a score of threshold +
    `to_threshold`.

    Each range holds its upper end. A point below the threshold has another name where
    `to_threshold` is not below 0 (names were counted, not scores), or is NaN (names were counted,
    and no point counts anywhere).
    """
    if kind in (MISSED_TAKEN, MISSED_WHOLLY):
        return _TAKEN if kind == MISSED_TAKEN else _WHOLLY
    if not to_threshold < 0:
        return OTHER_NAME
    return MISS_DISTANCES[
        bisect_left(_SHORT_OF, round(-to_threshold, 9))
    ]  # 0.65 - 0.6 is a hair over 0.05


def miss_scores(missed_mm: Points, found_mm: Points, scores: ArrayLike) -> Values:
    """The highest score (N,) of the points within 7.5 um of each missed figure (N, 2), NaN where
    none is.

    found_mm (M, 2), scores (M,) finite: the points that are asked about; x y in mm.
    Raises ValueError where an array is not (·, 2), shapes disagree or a value is not finite.
    """
    missed, found, scores = (
        as_points(missed_mm),
        as_points(found_mm),
        np.asarray(scores, np.float64),
    )
    if scores.shape != (len(found),) or not np.isfinite(scores).all():
        raise ValueError(f"scores must be ({len(found)},) and finite, got {scores.shape}")
    pairs = pairs_within(missed, found, RADIUS_MM)
    highest = np.full(len(missed), -np.inf)
    np.maximum.at(highest, pairs.truth, scores[pairs.found])
    highest[np.isneginf(highest)] = np.nan
    return highest


def _nearest(points: Points, others: Points, reach_mm: float) -> Values:
    """Distance (M,) in mm from each point to the nearest of `others`, inf where none is within
    reach."""
    pairs = pairs_within(points, others, reach_mm)
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, pairs.truth, pairs.distance)
    return nearest
