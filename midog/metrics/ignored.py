"""Boxes to ignore: which detections in them count neither as true nor as false."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FloatArray, centers_of
from midog.metrics.matching import RADIUS_MM, pairs_within
from midog.metrics.points import Points, RoiPoints
from midog.mpp import MppLike, as_mpp


def is_ignored(
    detected_mm: Points, truth_mm: Points, ignored: FloatArray, mpp: MppLike | None
) -> NDArray[np.bool_]:
    """Which detections count neither way.

    Those which no true figure is within the challenge's 7.5 um of, and which lie in a box to ignore
    (its edge included) or within 7.5 um of its centre. So a detection that a figure might match is
    scored as if there were no such box, and what is ignored does not depend on a threshold.

    Args:
        detected_mm: (M, 2) detections, mm.
        truth_mm: (N, 2) true figures, mm.
        ignored: (K, 4) float32 x1 y1 x2 y2, level-0 px.
        mpp: um/px; None where it is not known: nothing is ignored.

    Returns:
        (M,) bool.
    """
    size = as_mpp(mpp)
    if not len(ignored) or not len(detected_mm) or size is None:
        return np.zeros(len(detected_mm), bool)
    per_px = np.array([size.x, size.y]) / 1000
    low, high = ignored[:, :2] * per_px, ignored[:, 2:] * per_px
    spared = np.zeros(len(detected_mm), bool)
    for first, last in zip(low, high, strict=True):
        spared |= ((detected_mm >= first) & (detected_mm <= last)).all(axis=1)
    spared[pairs_within(centers_of(ignored) * per_px, detected_mm, RADIUS_MM).detected] = True
    spared[pairs_within(truth_mm, detected_mm, RADIUS_MM).detected] = False
    return spared


def without_ignored(points: RoiPoints, ignored: FloatArray, mpp: MppLike | None) -> RoiPoints:
    """The same figures and the detections that count; see `is_ignored`."""
    keep = ~is_ignored(points.detected_mm, points.truth_mm, ignored, mpp)
    if keep.all():
        return points
    return RoiPoints(points.truth_mm, points.detected_mm[keep], points.scores[keep])
