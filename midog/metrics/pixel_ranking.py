"""Scores of the px of many slides: AUC and average precision for any number of resamples of the
slides, and the threshold of highest Dice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.counts import ratios
from midog.metrics.points import Values

MOST_BINS = 4096
"""Of scores; over these neighbouring ones share a bin, all bins with about as many px. Within a bin
scores count as equal, which moves an AUC by under 1 / 8192."""

Scored = tuple[Values, NDArray[np.bool_]]
"""Scores (N,) of the px of a slide, and which are positive."""


@dataclass(frozen=True, eq=False)
class PixelRanking:
    """Px of S slides in K bins of falling score; both (S, K) int64."""

    positives: IntArray
    negatives: IntArray


def rank_pixels(slides: Sequence[Scored]) -> PixelRanking:
    """Sort the px of slides into bins that all of them share."""
    pooled = np.concatenate([np.zeros(0), *(scores for scores, _ in slides)])
    edges = np.unique(pooled)
    if len(edges) > MOST_BINS:
        edges = np.unique(np.quantile(pooled, np.linspace(0, 1, MOST_BINS + 1), method="lower"))
    counts = np.zeros((2, len(slides), len(edges)), np.int64)
    for number, (scores, positive) in enumerate(slides):
        bins = np.searchsorted(edges, scores, side="right") - 1
        for label, chosen in enumerate((~positive, positive)):
            counts[label, number] = np.bincount(bins[chosen], minlength=len(edges))[::-1]
    return PixelRanking(counts[1], counts[0])


def pixel_auc(ranking: PixelRanking, weights: IntArray | None = None) -> Values:
    """Return the area under the ROC of all px together, ties count half.

    Args:
        ranking: Of S slides.
        weights: (B, S) int64, how often each slide stands in each resample; None: once.

    Returns:
        (B,) float64 in [0, 1]; NaN where a class is missing.
    """
    positives, negatives = _drawn(ranking, weights)
    below = negatives.sum(axis=1, keepdims=True) - np.cumsum(negatives, axis=1)
    right = (positives * (below + 0.5 * negatives)).sum(axis=1)
    return ratios(right, positives.sum(axis=1) * negatives.sum(axis=1))


def pixel_average_precision(ranking: PixelRanking, weights: IntArray | None = None) -> Values:
    """Return the average precision of all px together; arguments as of `pixel_auc`."""
    positives, negatives = _drawn(ranking, weights)
    tp = np.cumsum(positives, axis=1)
    taken = tp + np.cumsum(negatives, axis=1)
    precision = tp / np.maximum(taken, 1)
    return ratios((precision * positives).sum(axis=1), positives.sum(axis=1))


def best_dice_threshold(slides: Sequence[Scored]) -> float:
    """Return the threshold of highest Dice of all px together, half way to the next lower score.

    Returns:
        In [0, 1]; of several that are as good the highest. NaN without positive px.
    """
    scores = np.concatenate([np.zeros(0), *(scores for scores, _ in slides)])
    positive = np.concatenate([np.zeros(0, bool), *(own for _, own in slides)])
    if not positive.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    dice = 2 * hits[last] / (last + 1 + hits[-1])
    best = int(np.argmax(dice))
    lower = falling[last[best] + 1] if best + 1 < len(last) else falling[last[best]]
    return float((falling[last[best]] + lower) / 2)


def _drawn(ranking: PixelRanking, weights: IntArray | None) -> tuple[Values, Values]:
    """Positives and negatives in each bin of each resample, (B, K) float64, exact to 2^53."""
    drawn = np.ones((1, len(ranking.positives))) if weights is None else weights.astype(np.float64)
    return drawn @ ranking.positives, drawn @ ranking.negatives
