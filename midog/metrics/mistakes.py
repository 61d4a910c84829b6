"""Mistakes by kind: what a false alarm lies on, and how near to the threshold a miss was."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from midog.metrics.matching import RADIUS_MM, Points, as_points, pairs_within
from midog.metrics.scores import Values

FALSE_ALARMS = ("imposter", "near imposter", "double", "nothing")
"""Kinds of false alarm, see `false_alarm_kinds`."""

NEAR_UM = 25.0
"""Up to this distance from an imposter a false alarm counts as near it."""


def false_alarm_kinds(found_mm: Points, figures_mm: Points, imposters_mm: Points) -> list[str]:
    """What each false alarm (M, 2) lies on, given all figures (N, 2) and imposters (K, 2) of the ROI; x y in mm.

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
    kinds = np.select([on_imposter, double, near_imposter], ["imposter", "double", "near imposter"], "nothing")
    return [str(kind) for kind in kinds]


def miss_scores(missed_mm: Points, found_mm: Points, scores: ArrayLike) -> Values:
    """How near each missed figure (N, 2) was to being found: the highest score (N,) within 7.5 um, NaN where none is.

    found_mm (M, 2), scores (M,) finite: the points below the threshold; x y in mm. A point above it that is within
    reach went to another figure and says nothing about this one.
    Raises ValueError where an array is not (·, 2), shapes disagree or a value is not finite.
    """
    missed, found, scores = as_points(missed_mm), as_points(found_mm), np.asarray(scores, np.float64)
    if scores.shape != (len(found),) or not np.isfinite(scores).all():
        raise ValueError(f"scores must be ({len(found)},) and finite, got {scores.shape}")
    pairs = pairs_within(missed, found, RADIUS_MM)
    highest = np.full(len(missed), -np.inf)
    np.maximum.at(highest, pairs.truth, scores[pairs.found])
    highest[np.isneginf(highest)] = np.nan
    return highest


def _nearest(points: Points, others: Points, reach_mm: float) -> Values:
    """Distance (M,) in mm from each point to the nearest of `others`, inf where none is within reach."""
    pairs = pairs_within(points, others, reach_mm)
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, pairs.truth, pairs.distance)
    return nearest
