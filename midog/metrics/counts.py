"""True positives, false positives and false negatives, and precision, recall and F1 of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.matching import match_points
from midog.metrics.points import RoiPoints, Values


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives; add them with `+`.

    precision, recall and f1 are in [0, 1], NaN where the denominator is zero.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """tp / (tp + fp)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """tp / (tp + fn)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn)."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def counts_at(rois: Sequence[RoiPoints], threshold: float) -> Counts:
    """Count as the challenge does, pooled over ROIs: first the threshold, then the matching.

    Args:
        rois: Points of the ROIs.
        threshold: Detections with a score >= it count.
    """
    total = Counts()
    for roi in rois:
        matches = match_points(roi.truth_mm, roi.at_least(threshold).detected_mm)
        total += Counts(matches.tp, matches.fp, matches.fn)
    return total


def count_table(counts: Sequence[Counts]) -> IntArray:
    """Return the counts as an array (R, 3) int64 of tp, fp, fn."""
    return np.array([(roi.tp, roi.fp, roi.fn) for roi in counts], np.int64).reshape(-1, 3)


def precision(tp: IntArray | Values, fp: IntArray | Values) -> Values:
    """tp / (tp + fp), any shape; NaN where that is 0 / 0."""
    return ratios(tp, tp + fp)


def recall(tp: IntArray | Values, fn: IntArray | Values) -> Values:
    """tp / (tp + fn), any shape; NaN where that is 0 / 0."""
    return ratios(tp, tp + fn)


def f1(tp: IntArray | Values, fp: IntArray | Values, fn: IntArray | Values) -> Values:
    """2 tp / (2 tp + fp + fn), any shape; NaN where that is 0 / 0."""
    return ratios(2 * tp, 2 * tp + fp + fn)


def ratios(part: IntArray | Values, whole: IntArray | Values) -> Values:
    """part / whole, any shape; NaN where `whole` is 0."""
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole != 0)
    return out


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
