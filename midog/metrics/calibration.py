"""Do scores mean what they say? Share of hits against score, in bins, and the expected calibration
error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from midog.boxes import IntArray
from midog.metrics.counts import Values, ratios


@dataclass(frozen=True, eq=False)
class Reliability:
    """The reliability curve of found points: in each bin of scores, how many of them are figures.

    edges: (B + 1,) float64, 0 to 1 in equal steps; bin b holds edges[b] <= score < edges[b + 1],
    the last also 1.
    count: (B,) int64, points in the bin.
    mean_score, hit_share: (B,) float64 in [0, 1], of the bin's points; NaN where it has none.
    ece: expected calibration error in [0, 1]; NaN without points.
    """

    edges: Values
    count: IntArray
    mean_score: Values
    hit_share: Values
    ece: float


def reliability(scores: ArrayLike, hits: ArrayLike, bins: int = 10) -> Reliability:
    """The reliability curve of `scores` (M,) in [0, 1], of which `hits` (M,) bool are figures, in
    `bins` bins.

    ece: the mean over points of |mean score - share of hits| of their bin (Naeini et al. 2015,
    AAAI; Guo et al. 2017, arXiv:1706.04599, equation 3), with the score as the probability that the
    point is a figure. It knows nothing of figures without a point, and depends on the lowest score
    that was kept. Raises ValueError where shapes disagree, a score is not in [0, 1], `hits` is not
    bool, or `bins` < 1.
    """
    scores, hits = _checked(scores, hits, bins)
    edges = _edges(bins)
    at = _bin_of(scores, bins)
    count = np.bincount(at, minlength=bins).astype(np.int64)
    mean_score = _means(np.bincount(at, weights=scores, minlength=bins), count)
    hit_share = _means(np.bincount(at, weights=hits, minlength=bins), count)
    filled = count > 0
    gap = np.abs(mean_score[filled] - hit_share[filled])
    ece = float(count[filled] @ gap) / len(scores) if len(scores) else math.nan
    return Reliability(edges, count, mean_score, hit_share, ece)


def resample_ece(
    scores: ArrayLike, hits: ArrayLike, owner: IntArray, weights: IntArray, bins: int = 10
) -> Values:
    """The expected calibration error (B,) in every resample, as if each ROI stood `weights` times
    in the list of ROIs.

    scores, hits: (M,) of the points of all ROIs, as of `reliability`, and so are the errors. owner:
    (M,) int64, the ROI of each point. weights: (B, R) int64, how often each ROI counts in each
    resample. NaN where no point is drawn.
    """
    scores, hits = _checked(scores, hits, bins)
    at, cells = owner * bins + _bin_of(scores, bins), weights.shape[1] * bins
    # In a bin, points x |mean score - share of hits| = |sum of scores - hits|.
    gaps = weights @ np.bincount(at, weights=scores - hits, minlength=cells).reshape(-1, bins)
    return ratios(
        np.abs(gaps).sum(axis=1), weights @ np.bincount(owner, minlength=weights.shape[1])
    )


def _edges(bins: int) -> Values:
    return np.asarray(
        np.arange(bins + 1) / bins
    )  # the float nearest to each edge, so that 0.3 begins a bin of ten


def _bin_of(scores: Values, bins: int) -> IntArray:
    return np.asarray(np.minimum(np.searchsorted(_edges(bins), scores, side="right") - 1, bins - 1))


def _checked(scores: ArrayLike, hits: ArrayLike, bins: int) -> tuple[Values, NDArray[np.bool_]]:
    scores, hits = np.asarray(scores, np.float64), np.asarray(hits)
    if scores.ndim != 1 or hits.shape != scores.shape:
        raise ValueError(
            f"scores and hits must be (M,) and (M,), got {scores.shape} and {hits.shape}"
        )
    if hits.size and hits.dtype != np.bool_:
        raise ValueError(f"hits must be bool, got {hits.dtype}")
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, got {bins}")
    outside = ~((scores >= 0) & (scores <= 1))
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(f"scores must lie in [0, 1], score {at} is {scores[at]}")
    return scores, hits.astype(np.bool_)


def _means(sums: NDArray[Any], count: IntArray) -> Values:
    out = np.full(len(count), np.nan)
    np.divide(sums, count, out=out, where=count > 0)
    return out
