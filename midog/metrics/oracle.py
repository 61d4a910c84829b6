"""The oracle: the best F1 that any one threshold gives on these very ROIs, and that of every
resample.

A threshold that is chosen on the data it is scored on flatters: the oracle's F1 is no result. It
splits what a detector lacks in two. What F1 at the detector's own threshold lacks to the oracle's
is the threshold's loss; what the oracle's lacks to 1 no threshold can win back: it is lost by the
ranking of the detections, and by what they do not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.bootstrap_areas import points_at_least
from midog.metrics.points import Values
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.sweep import Sweep
from midog.metrics.thresholds import best_threshold

_AT_ONCE = 128
"""Resamples at a time: their F1 at ten thousand thresholds are 10 MB."""


@dataclass(frozen=True)
class Oracle:
    """The best threshold of some ROIs, chosen on them.

    Attributes:
        threshold: See `best_threshold`; NaN without figures.
        f1: At that threshold, the highest of all thresholds in (0, 1]; NaN without figures.
        at_floor: It is reached only where every detection counts, or none exists: with detections
            of lower scores, which are not known, it might be higher.
    """

    threshold: float
    f1: float
    at_floor: bool


def oracle_of_sweep(sweep: Sweep) -> Oracle:
    """Return the oracle of ROIs whose counts at every threshold are known."""
    if sweep.figures == 0:
        return Oracle(math.nan, math.nan, False)
    f1 = sweep.f1[sweep.thresholds > 0]  # a score of 0 counts at no threshold in (0, 1]
    if not len(f1):
        return Oracle(best_threshold(sweep), 0.0, True)
    at_floor = bool(f1[-1] > f1[:-1].max(initial=0))
    return Oracle(best_threshold(sweep), float(f1.max()), at_floor)


def resample_oracle_f1(matches: PooledMatches, weights: IntArray) -> Values:
    """Return the oracle's F1 in every resample, the threshold chosen anew in each, as if each ROI
    stood `weights` times in a row.

    Args:
        matches: Of R ROIs.
        weights: (B, R) int64, how often an ROI counts in a resample.

    Returns:
        (B,) float64, to the last bit that of `oracle_of_sweep` of that list; NaN without figures.
    """
    figures, rois = weights @ matches.figures, len(matches.figures)
    order = np.argsort(matches.scores, kind="stable")
    scores, owner = matches.scores[order], matches.owner[order]
    matched = matches.by_radius[order]
    # between the scores of matched detections F1 only falls
    thresholds = np.unique(scores[matched & (scores > 0)])
    if not len(thresholds):  # no figure is detected at any threshold
        return np.where(figures > 0, 0.0, np.nan)
    detections = points_at_least(thresholds, scores, owner, rois)
    tp = points_at_least(thresholds, scores[matched], owner[matched], rois)
    best = np.zeros(len(weights))
    for begin in range(0, len(weights), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        drawn = weights[part].astype(np.float64)  # exact, and BLAS takes no integers
        # 2 tp + fp + fn is the number of detections and figures
        whole = np.maximum(drawn @ detections + figures[part, None], 1)
        best[part] = (2 * (drawn @ tp) / whole).max(axis=1, initial=0)
    return np.where(figures > 0, best, np.nan)
