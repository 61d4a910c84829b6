"""The counts at every threshold that changes them, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics import counts
from midog.metrics.points import RoiPoints, Values
from midog.metrics.pooled_matches import matched_by_radius


@dataclass(frozen=True, eq=False)
class Sweep:
    """Pooled counts at every threshold that changes them.

    Attributes:
        thresholds: (K,) float64, the distinct scores, falling.
        tp: (K,) int64, with all detections of score >= threshold.
        fp: (K,) int64, likewise.
        figures: True figures in all, so that fn = figures - tp.
    """

    thresholds: Values
    tp: IntArray
    fp: IntArray
    figures: int

    @property
    def fn(self) -> IntArray:
        """Missed figures at each threshold, (K,) int64."""
        return np.asarray(self.figures - self.tp)

    @property
    def precision(self) -> Values:
        """(K,) float64."""
        return counts.precision(self.tp, self.fp)

    @property
    def recall(self) -> Values:
        """(K,) float64, NaN without figures."""
        return counts.recall(self.tp, self.fn)

    @property
    def f1(self) -> Values:
        """(K,) float64."""
        return counts.f1(self.tp, self.fp, self.fn)


def sweep(rois: Sequence[RoiPoints]) -> Sweep:
    """Return what `counts_at` gives for every distinct score, exactly."""
    scores = np.concatenate([np.zeros(0), *(roi.scores for roi in rois)])
    return sweep_matched(scores, matched_by_radius(rois), sum(len(roi.truth_mm) for roi in rois))


def sweep_matched(scores: Values, matched: NDArray[np.bool_], figures: int) -> Sweep:
    """Return the `sweep` of detections that are matched already.

    Args:
        scores: (M,) float64.
        matched: (M,) bool, as `matched_by_radius` gives it.
        figures: Number of true figures.
    """
    order = np.argsort(-scores)  # equal scores in any order, as they count together
    falling = scores[order]
    last_of_equals = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)[: len(falling)])
    tp = np.cumsum(matched[order], dtype=np.int64)[last_of_equals]
    return Sweep(falling[last_of_equals], tp=tp, fp=last_of_equals + 1 - tp, figures=figures)
