"""The points of all ROIs in a row, with the ROI of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.near_pairs import near_counts, near_pairs
from midog.metrics.points import Points, RoiPoints, Values


@dataclass(frozen=True, eq=False)
class PooledPoints:
    """The points of all ROIs in a row: figures (N, 2) with their ROI, detections (M, 2) with theirs
    and their scores."""

    truth: Points
    truth_owner: IntArray
    detected: Points
    owner: IntArray
    scores: Values

    @classmethod
    def of(cls, rois: Sequence[RoiPoints]) -> PooledPoints:
        figures, points = (
            np.array([len(of_roi) for of_roi in arrays], np.int64)
            for arrays in ([roi.truth_mm for roi in rois], [roi.scores for roi in rois])
        )
        nowhere = np.zeros((0, 2))
        return cls(
            truth=np.concatenate([nowhere, *(roi.truth_mm for roi in rois)]),
            truth_owner=np.repeat(np.arange(len(rois)), figures),
            detected=np.concatenate([nowhere, *(roi.detected_mm for roi in rois)]),
            owner=np.repeat(np.arange(len(rois)), points),
            scores=np.concatenate([np.zeros(0), *(roi.scores for roi in rois)]),
        )

    def near(self, reach_mm: float) -> tuple[IntArray, IntArray]:
        """Pairs (figure, point) of one ROI that may be in reach along both axes: a little more, for
        the rounding."""
        return near_pairs(
            self.truth, self.truth_owner, self.detected, self.owner, reach_mm * (1 + 1e-9)
        )

    def pairs(self, reach_mm: float) -> int:
        """How many pairs `near` would give."""
        counts = near_counts(
            self.truth, self.truth_owner, self.detected, self.owner, reach_mm * (1 + 1e-9)
        )
        return int(counts.sum())


def iou_of_squares(first: Points, second: Points, half_side: float) -> Values:
    """Return the IoU (P,) of squares around the points (P, 2) and (P, 2)."""
    low = np.maximum(first - half_side, second - half_side)
    high = np.minimum(first + half_side, second + half_side)
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return np.asarray(shared / (2 * (2 * half_side) ** 2 - shared))
