"""FROC: recall against false positives per ROI and per mm2, and the area under it as the 2025
challenge has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid

from midog.metrics.counts import RoiPoints, Sweep, Values, sweep

AUC_THRESHOLDS = 40
AUC_MOST_FP_PER_ROI = 8.0
AUC_STEPS = 50
"""The challenge's: recall at 40 thresholds, read off at 50 places from 0 to 8 false positives per
ROI."""
_PLACES = np.linspace(0, AUC_MOST_FP_PER_ROI, AUC_STEPS)


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """Recall and false positives at every threshold that changes them, each (K,) float64.

    thresholds: the distinct scores, falling. recall: in [0, 1], NaN without figures. fp_per_roi:
    false positives over the number of ROIs, rising. fp_per_mm2: false positives over the area of
    all ROIs, NaN where that is unknown.
    """

    thresholds: Values
    recall: Values
    fp_per_roi: Values
    fp_per_mm2: Values


def froc_curve(rois: Sequence[RoiPoints], area_mm2: float = math.nan) -> FrocCurve:
    """The curve of these ROIs together; K = 0 where nothing was found.

    area_mm2: of all ROIs together; NaN or 0 where it is unknown.
    """
    return sweep_curve(sweep(rois), len(rois), area_mm2)


def sweep_curve(swept: Sweep, rois: int, area_mm2: float = math.nan) -> FrocCurve:
    """`froc_curve` from counts that are there already. rois: the number of ROIs that they are
    pooled over."""
    return FrocCurve(
        thresholds=swept.thresholds,
        recall=swept.recall,
        fp_per_roi=swept.fp / rois if rois else np.zeros(0),
        fp_per_mm2=swept.fp / (area_mm2 if area_mm2 > 0 else math.nan),
    )


def froc_auc(rois: Sequence[RoiPoints]) -> float:
    """Area under recall from 0 to 8 false positives per ROI, in [0, 8] (not normalised), as the
    MIDOG 2025 challenge.

    NaN without figures, 0 where nothing was found. See `sweep_auc`.
    """
    return sweep_auc(sweep(rois), len(rois))


def sweep_auc(swept: Sweep, rois: int) -> float:
    """`froc_auc` from counts that are there already. rois: the number of ROIs that they are pooled
    over.

    The challenge's evaluation: recall and mean false positives per ROI at 40 thresholds, evenly
    from the lowest score to the highest; put in the order of `numpy.argsort` of the false
    positives; joined by straight lines, level before the first and after the last; trapezoids over
    50 places. A number to compare entries by rather than a measure: of thresholds with equally many
    false positives the last in that order counts, and numpy's default sort is not stable. So the
    number can differ by some thousandths between processors (x86 with AVX2 or another) and numpy
    versions; and where nothing found is false, the recall of one of the 40 thresholds stands for
    all.
    """
    if swept.figures == 0:
        return math.nan
    if len(swept.thresholds) == 0:
        return 0.0
    thresholds = auc_thresholds(swept.thresholds[-1], swept.thresholds[0])
    steps = (
        np.searchsorted(-swept.thresholds, -thresholds, side="right") - 1
    )  # the lowest score that is >= each
    fp_per_roi, recall = swept.fp[steps] / rois, swept.tp[steps] / swept.figures
    return float(curve_auc(fp_per_roi[None], recall[None])[0])


def auc_thresholds(lowest: float, highest: float) -> Values:
    """The 40 thresholds between these scores, rising."""
    return np.linspace(lowest, highest, AUC_THRESHOLDS)


def curve_auc(fp_per_roi: Values, recall: Values) -> Values:
    """`froc_auc` (B,) from false positives per ROI (B, 40) and recall (B, 40) at the 40 thresholds,
    in their order."""
    order = np.argsort(
        fp_per_roi, axis=1
    )  # numpy's default kind, of float64: ties fall as they do there
    curves = zip(
        *(np.take_along_axis(values, order, axis=1) for values in (fp_per_roi, recall)), strict=True
    )
    return np.asarray(trapezoid([np.interp(_PLACES, *curve) for curve in curves], _PLACES))
