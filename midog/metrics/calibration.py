"""Whether scores mean what they say: share of figures against score, in bins, and the expected
calibration error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from midog.boxes import IntArray
from midog.metrics.counts import ratios
from midog.metrics.points import Values


@dataclass(frozen=True, eq=False)
class Reliability:
    """The reliability curve of detections: in each bin of scores, how many of them are figures.

    Attributes:
        edges: (B + 1,) float64, 0 to 1 in equal steps; bin b holds edges[b] <= score <
            edges[b + 1], the last also 1.
        count: (B,) int64, detections in the bin.
        mean_score: (B,) float64 in [0, 1], of the bin's detections; NaN where it has none.
        hit_share: (B,) float64 in [0, 1], share of them that are figures; NaN where it has none.
        ece: Expected calibration error in [0, 1]; NaN without detections.
    """

    edges: Values
    count: IntArray
    mean_score: Values
    hit_share: Values
    ece: float


def reliability(scores: ArrayLike, matched: ArrayLike, bins: int = 10) -> Reliability:
    """Return the reliability curve of detections.

    The expected calibration error is the mean over detections of |mean score - share of figures|
    of their bin (Naeini et al. 2015, AAAI; Guo et al. 2017, arXiv:1706.04599, equation 3), with the
    score as the probability that the detection is a figure. It knows nothing of figures without a
    detection, and depends on the lowest score that was kept.

    Args:
        scores: (M,) float64 in [0, 1].
        matched: (M,) bool, which of them are figures.
        bins: Number of bins, >= 1.

    Raises:
        ValueError: If shapes disagree, a score is not in [0, 1], `matched` is not bool, or `bins`
            < 1.
    """
    scores, matched = _checked(scores, matched, bins)
    edges = _edges(bins)
    at = _bin_of(scores, bins)
    count = np.bincount(at, minlength=bins).astype(np.int64)
    mean_score = _means(np.bincount(at, weights=scores, minlength=bins), count)
    hit_share = _means(np.bincount(at, weights=matched, minlength=bins), count)
    filled = count > 0
    gap = np.abs(mean_score[filled] - hit_share[filled])
    ece = float(count[filled] @ gap) / len(scores) if len(scores) else math.nan
    return Reliability(edges, count, mean_score, hit_share, ece)


def resample_ece(
    scores: ArrayLike, matched: ArrayLike, owner: IntArray, weights: IntArray, bins: int = 10
) -> Values:
    """Return the expected calibration error in every resample, as if each ROI stood `weights` times
    in the list.

    Args:
        scores: (M,) of the detections of all ROIs, as of `reliability`.
        matched: (M,) as of `reliability`.
        owner: (M,) int64, the ROI of each detection.
        weights: (B, R) int64, how often each ROI counts in each resample.
        bins: Number of bins, >= 1.

    Returns:
        (B,) float64; NaN where no detection is drawn.

    Raises:
        ValueError: As `reliability`.
    """
    scores, matched = _checked(scores, matched, bins)
    at, cells = owner * bins + _bin_of(scores, bins), weights.shape[1] * bins
    # In a bin, detections x |mean score - share of figures| = |sum of scores - figures|.
    gaps = weights @ np.bincount(at, weights=scores - matched, minlength=cells).reshape(-1, bins)
    drawn = weights @ np.bincount(owner, minlength=weights.shape[1])
    return ratios(np.abs(gaps).sum(axis=1), drawn)


def _edges(bins: int) -> Values:
    # the float nearest to each edge, so that 0.3 begins a bin of ten
    return np.asarray(np.arange(bins + 1) / bins)


def _bin_of(scores: Values, bins: int) -> IntArray:
    return np.asarray(np.minimum(np.searchsorted(_edges(bins), scores, side="right") - 1, bins - 1))


def _checked(scores: ArrayLike, matched: ArrayLike, bins: int) -> tuple[Values, NDArray[np.bool_]]:
    scores, matched = np.asarray(scores, np.float64), np.asarray(matched)
    if scores.ndim != 1 or matched.shape != scores.shape:
        raise ValueError(
            f"scores and matched must be (M,) and (M,), got {scores.shape} and {matched.shape}"
        )
    if matched.size and matched.dtype != np.bool_:
        raise ValueError(f"matched must be bool, got {matched.dtype}")
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, got {bins}")
    outside = ~((scores >= 0) & (scores <= 1))
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(f"scores must lie in [0, 1], score {at} is {scores[at]}")
    return scores, matched.astype(np.bool_)


def _means(sums: NDArray[Any], count: IntArray) -> Values:
    out = np.full(len(count), np.nan)
    np.divide(sums, count, out=out, where=count > 0)
    return out
