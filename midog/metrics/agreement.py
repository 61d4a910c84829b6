"""How well found densities agree with the true ones, ROI by ROI: rank correlation, bias and limits of agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from midog.metrics.scores import Values

LIMITS_SD = 1.96
"""Standard deviations from the bias to a limit of agreement: 95 % of differences that are normally distributed."""


@dataclass(frozen=True)
class Agreement:
    """Truth against prediction over ROIs, in figures per mm2.

    rois: number of ROIs with both densities known.
    spearman: rank correlation in [-1, 1]; NaN with fewer than two ROIs or where either density is the same in all.
    bias: mean of found - truth, so that > 0 is too many; NaN without ROIs.
    sd: standard deviation of found - truth (n - 1 in the denominator); NaN with fewer than two ROIs.
    low, high: limits of agreement, bias -/+ 1.96 sd.
    """

    rois: int
    spearman: float
    bias: float
    sd: float
    low: float
    high: float


def agreement(truth_per_mm2: ArrayLike, found_per_mm2: ArrayLike) -> Agreement:
    """The agreement of two densities of the same ROIs, (R,) and (R,) float64, figures per mm2.

    An ROI of which either is NaN (an unknown area) is left out. Bland and Altman, Lancet 1986, 327:307-310: the limits
    are those of single ROIs, without an interval of their own.
    Raises ValueError where shapes disagree or a density is infinite.
    """
    truth, found = np.asarray(truth_per_mm2, np.float64), np.asarray(found_per_mm2, np.float64)
    if truth.ndim != 1 or truth.shape != found.shape:
        raise ValueError(f"densities must be (R,) and (R,), got {truth.shape} and {found.shape}")
    if np.isinf(truth).any() or np.isinf(found).any():
        raise ValueError("densities must not be infinite")
    known = ~(np.isnan(truth) | np.isnan(found))
    truth, found = truth[known], found[known]
    difference = found - truth
    bias = float(difference.mean()) if len(difference) else math.nan
    sd = float(difference.std(ddof=1)) if len(difference) > 1 else math.nan
    return Agreement(
        rois=len(difference),
        spearman=_spearman(truth, found),
        bias=bias,
        sd=sd,
        low=bias - LIMITS_SD * sd,
        high=bias + LIMITS_SD * sd,
    )


def _spearman(first: Values, second: Values) -> float:
    """Pearson's correlation of the ranks, ties with their mean rank; NaN where a rank does not vary."""
    # The mean of the ranks is (n + 1) / 2 exactly, so that equal orders give 1 to the last bit.
    from_mean = [rankdata(values) - (len(values) + 1) / 2 for values in (first, second)]
    spread = math.sqrt(float(from_mean[0] @ from_mean[0]) * float(from_mean[1] @ from_mean[1]))
    return float(from_mean[0] @ from_mean[1]) / spread if spread else math.nan
