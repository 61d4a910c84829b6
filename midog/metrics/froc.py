"""FROC: recall against false positives per ROI and per mm2, and the area under it as the 2025
challenge has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid

from midog.metrics.points import RoiPoints, Values
from midog.metrics.sweep import Sweep, sweep

AUC_THRESHOLDS = 40
AUC_MOST_FP_PER_ROI = 8.0
AUC_STEPS = 50
"""The challenge's: recall at 40 thresholds, read off at 50 places from 0 to 8 false positives per
ROI."""
_PLACES = np.linspace(0, AUC_MOST_FP_PER_ROI, AUC_STEPS)


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """Recall and false positives at every threshold that changes them.

    Attributes:
        thresholds: (K,) float64, the distinct scores, falling.
        recall: (K,) float64 in [0, 1], NaN without figures.
        fp_per_roi: (K,) float64, false positives over the number of ROIs, rising.
        fp_per_mm2: (K,) float64, false positives over the area of all ROIs, NaN where that is not
            known.
    """

    thresholds: Values
    recall: Values
    fp_per_roi: Values
    fp_per_mm2: Values


def froc_curve(rois: Sequence[RoiPoints], area_mm2: float = math.nan) -> FrocCurve:
    """Return the curve of these ROIs together; K = 0 without detections.

    Args:
        rois: Points of the ROIs.
        area_mm2: Of all ROIs together; NaN or 0 if it is not known.
    """
    return froc_curve_of_sweep(sweep(rois), len(rois), area_mm2)


def froc_curve_of_sweep(swept: Sweep, rois: int, area_mm2: float = math.nan) -> FrocCurve:
    """Return the `froc_curve` of counts that exist already, pooled over `rois` ROIs."""
    return FrocCurve(
        thresholds=swept.thresholds,
        recall=swept.recall,
        fp_per_roi=swept.fp / rois if rois else np.zeros(0),
        fp_per_mm2=swept.fp / (area_mm2 if area_mm2 > 0 else math.nan),
    )


def froc_auc(rois: Sequence[RoiPoints]) -> float:
    """Return the area under recall from 0 to 8 false positives per ROI, as the MIDOG 2025 challenge
    does.

    Args:
        rois: Points of the ROIs.

    Returns:
        In [0, 8], not normalised; NaN without figures, 0 without detections. See
        `froc_auc_of_sweep`.
    """
    return froc_auc_of_sweep(sweep(rois), len(rois))


def froc_auc_of_sweep(swept: Sweep, rois: int) -> float:
    """Return the `froc_auc` of counts that exist already, pooled over `rois` ROIs.

    The challenge's evaluation: recall and mean false positives per ROI at 40 thresholds, evenly
    from the lowest score to the highest; put in the order of `numpy.argsort` of the false
    positives; joined by straight lines, level before the first and after the last; trapezoids over
    50 places. A number to compare entries by rather than a measure: of thresholds with equally many
    false positives the last in that order counts, and numpy's default sort is not stable. So the
    number can differ by some thousandths between processors (x86 with AVX2 or another) and numpy
    versions; and without false positives the recall of one of the 40 thresholds is that of all.
    """
    if swept.figures == 0:
        return math.nan
    if len(swept.thresholds) == 0:
        return 0.0
    thresholds = auc_thresholds(swept.thresholds[-1], swept.thresholds[0])
    # the lowest score that is >= the threshold
    steps = np.searchsorted(-swept.thresholds, -thresholds, side="right") - 1
    fp_per_roi, recall = swept.fp[steps] / rois, swept.tp[steps] / swept.figures
    return float(curve_auc(fp_per_roi[None], recall[None])[0])


def auc_thresholds(lowest: float, highest: float) -> Values:
    """Return the 40 thresholds between these scores, rising."""
    return np.linspace(lowest, highest, AUC_THRESHOLDS)


def curve_auc(fp_per_roi: Values, recall: Values) -> Values:
    """Return `froc_auc` from the curve at the 40 thresholds, in their order.

    Args:
        fp_per_roi: (B, 40) float64, false positives per ROI.
        recall: (B, 40) float64.

    Returns:
        (B,) float64.
    """
    # numpy's default kind, of float64: ties fall as they do in the challenge's evaluation
    order = np.argsort(fp_per_roi, axis=1)
    curves = zip(
        *(np.take_along_axis(values, order, axis=1) for values in (fp_per_roi, recall)), strict=True
    )
    return np.asarray(trapezoid([np.interp(_PLACES, *curve) for curve in curves], _PLACES))
