"""How well detected densities agree with the true ones, ROI by ROI: rank correlation, intraclass
correlation, bias and limits of agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from midog.boxes import IntArray
from midog.metrics.counts import ratios
from midog.metrics.points import Values

LIMITS_SD = 1.96
"""Standard deviations from the bias to a limit of agreement: 95 % of differences that are normally
distributed."""

_SAME = 1e-12
"""Values that differ by less than this share of the greatest are the same: rounding."""


@dataclass(frozen=True)
class Agreement:
    """Truth against detection over ROIs, in figures per mm2.

    Attributes:
        rois: Number of ROIs of which both densities are known.
        spearman: Rank correlation in [-1, 1]; NaN with fewer than two ROIs or where either density
            is the same in all.
        icc: Intraclass correlation, absolute agreement of single measurements, at most 1; NaN with
            fewer than two ROIs or where truth and detection are one value in all.
        bias: Mean of detected - true, so that > 0 is too many; NaN without ROIs.
        sd: Standard deviation of detected - true (n - 1 in the denominator); NaN with fewer than
            two ROIs.
        low: Lower limit of agreement, bias - 1.96 sd.
        high: Upper limit of agreement, bias + 1.96 sd.
    """

    rois: int
    spearman: float
    icc: float
    bias: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class AgreementSamples:
    """The agreement in each resample, (B,) float64; NaN where it is undefined there."""

    spearman: Values
    icc: Values
    bias: Values
    low: Values
    high: Values


def agreement(truth_per_mm2: ArrayLike, detected_per_mm2: ArrayLike) -> Agreement:
    """Return the agreement of two densities of the same ROIs.

    An ROI of which either is NaN (an unknown area) is left out. Bland and Altman, Lancet 1986,
    327:307-310: the limits are those of single ROIs, without an interval of their own. McGraw and
    Wong, Psychol Methods 1996, 1:30-46: the intraclass correlation is ICC(A,1) of a two-way model.

    Args:
        truth_per_mm2: (R,) float64, true figures per mm2.
        detected_per_mm2: (R,) float64, detections that count per mm2.

    Raises:
        ValueError: If shapes disagree or a density is infinite.
    """
    truth, detected, usable = _checked(truth_per_mm2, detected_per_mm2)
    truth, detected = truth[usable], detected[usable]
    difference = detected - truth
    bias = float(difference.mean()) if len(difference) else math.nan
    sd = float(difference.std(ddof=1)) if len(difference) > 1 else math.nan
    return Agreement(
        rois=len(difference),
        spearman=_spearman(truth, detected),
        icc=float(_icc(truth, detected, np.ones((1, len(truth)), np.int64))[0]),
        bias=bias,
        sd=sd,
        low=bias - LIMITS_SD * sd,
        high=bias + LIMITS_SD * sd,
    )


def resample_agreement(
    truth_per_mm2: ArrayLike, detected_per_mm2: ArrayLike, weights: IntArray
) -> AgreementSamples:
    """Return the agreement in every resample, as if each ROI stood `weights` times in the list.

    Args:
        truth_per_mm2: (R,) as of `agreement`.
        detected_per_mm2: (R,) as of `agreement`.
        weights: (B, R) int64, how often each ROI counts in each resample.

    Raises:
        ValueError: If shapes disagree or a density is infinite.
    """
    truth, detected, usable = _checked(truth_per_mm2, detected_per_mm2)
    truth, detected, weights = truth[usable], detected[usable], weights[:, usable]
    difference, rois = detected - truth, weights.sum(axis=1)
    bias = ratios(weights @ difference, rois)
    # From the bias of each resample, not from sums of squares: equal differences must give 0, not
    # their rounding.
    squares = (weights * (difference - bias[:, None]) ** 2).sum(axis=1)
    sd = np.sqrt(ratios(squares, np.maximum(rois - 1, 0)))
    return AgreementSamples(
        spearman=_weighted_spearman(truth, detected, weights),
        icc=_icc(truth, detected, weights),
        bias=bias,
        low=bias - LIMITS_SD * sd,
        high=bias + LIMITS_SD * sd,
    )


def _checked(
    truth_per_mm2: ArrayLike, detected_per_mm2: ArrayLike
) -> tuple[Values, Values, NDArray[np.bool_]]:
    """Both densities, and of which ROIs both are known, (R,) each."""
    truth, detected = (np.asarray(d, np.float64) for d in (truth_per_mm2, detected_per_mm2))
    if truth.ndim != 1 or truth.shape != detected.shape:
        raise ValueError(f"densities must be (R,) and (R,), got {truth.shape} and {detected.shape}")
    if np.isinf(truth).any() or np.isinf(detected).any():
        raise ValueError("densities must not be infinite")
    return truth, detected, ~(np.isnan(truth) | np.isnan(detected))


def _icc(truth: Values, detected: Values, weights: IntArray) -> Values:
    """ICC(A,1), (B,), of (R,) and (R,), each pair as often as weights (B, R) say.

    From the mean squares of rows (ROIs), columns (truth and detection) and error, of which those of
    rows and error are half the variances of the pairs' sums and differences:
    (rows - error) / (rows + error + 2 (columns - error) / ROIs).
    """
    rois = weights.sum(axis=1)
    means, squares = [], []
    for values in (truth + detected, detected - truth):
        mean = ratios(weights @ values, rois)
        around = (weights * (values - mean[:, None]) ** 2).sum(axis=1)
        means.append(mean)
        squares.append(ratios(around, 2.0 * np.maximum(rois - 1, 0)))
    rows, error = squares
    columns = rois * means[1] ** 2 / 2
    whole = rows + error + 2 * ratios(columns - error, rois)
    largest = max([0.0, *np.abs(truth), *np.abs(detected)])
    whole[whole <= (_SAME * largest) ** 2] = 0
    return ratios(rows - error, whole)


def _weighted_spearman(first: Values, second: Values, weights: IntArray) -> Values:
    """`_spearman` (B,) of (R,) and (R,), each value as often as weights (B, R) say."""
    ranks = [_weighted_ranks(values, weights) for values in (first, second)]
    products = [(weights * ranks[i] * ranks[j]).sum(axis=1) for i, j in ((0, 1), (0, 0), (1, 1))]
    return ratios(products[0], np.sqrt(products[1] * products[2]))


def _weighted_ranks(values: Values, weights: IntArray) -> Values:
    """Rank (B, R) of each of `values` (R,) among all of its resample, less the mean rank; ties have
    their mean rank."""
    order = np.argsort(values)
    _, starts = np.unique(values[order], return_index=True)
    at = np.unique(values, return_inverse=True)[1]
    # (B, U), how often each distinct value occurs
    times = np.add.reduceat(weights[:, order], starts, axis=1)
    mean_rank = (weights.sum(axis=1, keepdims=True) + 1) / 2
    ranks = np.cumsum(times, axis=1) - (times - 1) / 2 - mean_rank
    return np.asarray(ranks[:, at])


def _spearman(first: Values, second: Values) -> float:
    """Pearson's correlation of the ranks, ties with their mean rank; NaN where a rank does not
    vary."""
    # The mean of the ranks is (n + 1) / 2 exactly, so that equal orders give 1 to the last bit.
    from_mean = [rankdata(values) - (len(values) + 1) / 2 for values in (first, second)]
    spread = math.sqrt(float(from_mean[0] @ from_mean[0]) * float(from_mean[1] @ from_mean[1]))
    return float(from_mean[0] @ from_mean[1]) / spread if spread else math.nan
