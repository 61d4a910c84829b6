"""Average precision by COCO's rule, with squares around the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.points import RoiPoints, Values
from midog.metrics.pooled_matches import HALF_SIDE_MM, matched_by_overlap

_RECALLS = np.linspace(0, 1, 101)
"""The recalls at which COCO reads off the precision."""


def average_precision(
    rois: Sequence[RoiPoints], *, half_side_mm: float = HALF_SIDE_MM, iou: float = 0.5
) -> float:
    """Return COCO's average precision (pycocotools `COCOeval`, one class).

    Per ROI, by falling score (ties in their order), each detection takes the free figure that it
    overlaps most, if the IoU is at least `iou`; precision at recall r is the highest at any recall
    >= r; its mean over r = 0, 0.01, … 1 is the result. There is no cap on the detections of an ROI,
    as the challenge sets none.

    Args:
        rois: Points of the ROIs.
        half_side_mm: Half of the side of the squares around the points.
        iou: The least overlap, in (0, 1].

    Returns:
        In [0, 1]; NaN without figures.
    """
    scores = np.concatenate([np.zeros(0), *(roi.scores for roi in rois)])
    matched = matched_by_overlap(rois, half_side_mm, iou)
    return average_precision_of_matched(scores, matched, sum(len(roi.truth_mm) for roi in rois))


def average_precision_of_matched(scores: Values, matched: NDArray[np.bool_], figures: int) -> float:
    """Return the `average_precision` of detections that are matched already.

    Args:
        scores: (M,) float64.
        matched: (M,) bool, as `matched_by_overlap` gives it.
        figures: Number of true figures.
    """
    if figures == 0:
        return math.nan
    places = np.flatnonzero(matched[np.argsort(-scores, kind="stable")]) + 1
    tp = np.arange(1, len(places) + 1)
    return float(interpolated_precision(tp[:, None], places[:, None], np.array([figures]))[0])


def interpolated_precision(tp: NDArray[Any], detections: NDArray[Any], figures: IntArray) -> Values:
    """Return the mean over r = 0, 0.01, … 1 of the highest precision at any recall >= r.

    Args:
        tp: (H, B) whole numbers: in each of B rankings, how many detections match up to each one
            that does, as precision peaks nowhere else.
        detections: (H, B) whole numbers, how many detections stand up to there.
        figures: (B,) int64, > 0.

    Returns:
        (B,) float64, 0 where no detection matches.
    """
    none = np.zeros((1, len(figures)))
    highest = np.concatenate([tp / np.maximum(detections, 1), none])[::-1]
    np.maximum.accumulate(highest, axis=0, out=highest)
    # Recall is the float nearest to tp / figures. `enough` is the lowest tp of which that is >= r.
    enough = np.floor(_RECALLS * figures[:, None])
    enough += enough / figures[:, None] < _RECALLS
    rankings = zip(np.ascontiguousarray(tp.T), enough.astype(tp.dtype), strict=True)
    first = [np.searchsorted(*ranking) for ranking in rankings]
    place = len(tp) - np.array(first, np.int64).reshape(len(figures), -1)
    return np.asarray(highest[place, np.arange(len(figures))[:, None]].mean(axis=1))
