"""Spearman's rank correlation of few pairs, with the p of a permutation test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from midog.metrics.points import Values
from midog.random_streams import seeded

ALL_ORDERS_TO = 8
"""Pairs up to which the permutation test goes through all orders."""


@dataclass(frozen=True)
class RankCorrelation:
    """A rank correlation.

    Attributes:
        rho: Spearman's, in [-1, 1]; NaN with fewer than 3 pairs or equal values.
        p: Two-sided, of a permutation test; NaN as rho.
        n: Number of pairs.
    """

    rho: float
    p: float
    n: int


def rank_correlation(distances: Sequence[float], drops: Sequence[float]) -> RankCorrelation:
    """Return Spearman's rho of a distance with a loss over pairs; pairs with a NaN are left out.

    p is two-sided, by permutation of the losses (all of them up to 8 pairs, else 9,999 drawn). The
    pairs share scanners and are not independent, so it is an optimistic p.

    Args:
        distances: One of each pair.
        drops: The loss of each pair.
    """
    both = np.array(
        [[a, b] for a, b in zip(distances, drops, strict=True) if not math.isnan(a + b)]
    ).reshape(-1, 2)
    n = len(both)
    if n < 3 or (np.ptp(both, axis=0) == 0).any():
        return RankCorrelation(math.nan, math.nan, n)
    ranks = np.apply_along_axis(stats.rankdata, 0, both)
    ranks = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    rho = float(ranks[:, 0] @ ranks[:, 1] / n)
    # an equal rho must count as equal however its sum was rounded
    as_far = np.abs(_reorderings(ranks[:, 0]) @ ranks[:, 1] / n) >= abs(rho) - 1e-12
    p = as_far.mean() if n <= ALL_ORDERS_TO else (as_far.sum() + 1) / (len(as_far) + 1)
    return RankCorrelation(rho, float(p), n)


def _reorderings(values: Values) -> Values:
    """All orders of up to 8 values, 9,999 drawn ones of more; (orders, n)."""
    if len(values) <= ALL_ORDERS_TO:
        return np.array(list(itertools.permutations(values)))
    return seeded("orders", 0).permuted(np.tile(values, (9999, 1)), axis=1)
