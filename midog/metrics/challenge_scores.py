"""The scores of the MIDOG 2025 evaluation, with its arithmetic where there is nothing to score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.integrate import trapezoid

from midog.metrics.average_precision import average_precision
from midog.metrics.counts import Counts
from midog.metrics.froc import AUC_MOST_FP_PER_ROI, AUC_STEPS, AUC_THRESHOLDS
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import sweep

_EPS = 1e-6
_PLACES = np.linspace(0, AUC_MOST_FP_PER_ROI, AUC_STEPS)


def challenge_scores(rois: Sequence[RoiPoints], counts: Counts) -> dict[str, float]:
    """Score some ROIs as `evaluate.py` of the organisers' container for track 1 does.

    Unlike midog's own scores, which are undefined there, F1 is 1 where there are neither figures
    nor detections, and AP is -1 without figures: a small number is added above and below.

    Args:
        rois: Figures and all detections of each ROI.
        counts: Of the detections that count, pooled.

    Returns:
        precision, recall, f1_score, froc_auc (NaN without detections) and AP, in that order.
    """
    tp, fp, fn = counts.tp, counts.fp, counts.fn
    area = average_precision(rois)
    return {
        "precision": tp / (tp + fp + _EPS),
        "recall": tp / (tp + fn + _EPS),
        "f1_score": (2 * tp + _EPS) / (2 * tp + fp + fn + _EPS),
        "froc_auc": challenge_froc_auc(rois),
        "AP": -1.0 if math.isnan(area) else area,
    }


def challenge_froc_auc(rois: Sequence[RoiPoints]) -> float:
    """Return the area under recall from 0 to 8 false positives per ROI, as the evaluation does.

    Unlike `midog.metrics.froc.froc_auc`, recall is 0 left of the first of the 40 thresholds, 0
    without figures, and the area is undefined without detections.

    Returns:
        In [0, 8], not normalised; NaN without detections.
    """
    swept = sweep(rois)
    if len(swept.thresholds) == 0:
        return math.nan
    highest, lowest = swept.thresholds[0], swept.thresholds[-1]
    evenly = np.linspace(lowest, highest, AUC_THRESHOLDS if lowest < highest else 1)
    thresholds = np.array(list(dict.fromkeys(evenly.tolist())))
    # the lowest score that is >= the threshold
    steps = np.searchsorted(-swept.thresholds, -thresholds, side="right") - 1
    recall = swept.tp[steps] / (swept.figures + _EPS)
    fp_per_roi = swept.fp[steps] / len(rois)
    order = np.argsort(fp_per_roi)  # numpy's default kind: ties fall as they do there
    recall, fp_per_roi = recall[order], fp_per_roi[order]
    return float(trapezoid(np.interp(_PLACES, fp_per_roi, recall, left=0.0), _PLACES))
