"""Confidence intervals: the bootstrap over patients, and the paired one that shows whether one
model beats another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.points import Values
from midog.random_streams import seeded

_CELLS = 1 << 22
"""Numbers of a table at a time: 32 MB, and several such tables are made of one."""


@dataclass(frozen=True)
class Interval:
    """A score and its confidence interval; low and high are NaN where they are not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Score of model A less that of model B, its interval, and the two-sided p of "no difference";
    NaN where they are not known."""

    value: float
    low: float
    high: float
    p: float


def draw_weights(patients: Sequence[str], resamples: int, seed: int) -> IntArray:
    """Draw how often each ROI counts in each resample.

    Patients are drawn with replacement, as many as there are, and all ROIs of a patient come with
    each draw of it (Field & Welsh, J. R. Stat. Soc. B 2007: the cluster bootstrap). A patient's
    draws depend on the names, `resamples` and `seed` alone, not on the order of the ROIs. One
    patient says nothing about others: the weights are then 0, so that every score is undefined in
    every resample. For a group of ROIs, draw among the patients of that group.

    Args:
        patients: The patient of each of R ROIs.
        resamples: Number of resamples B.
        seed: Of the draws.

    Returns:
        (B, R) int64.
    """
    parts = list(weights_in_parts(patients, resamples, seed))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def weights_in_parts(patients: Sequence[str], resamples: int, seed: int) -> Iterator[IntArray]:
    """Yield the rows of `draw_weights` part by part, so that any number of them takes a few hundred
    MB.

    Args:
        patients: As of `draw_weights`.
        resamples: As of `draw_weights`.
        seed: As of `draw_weights`.

    Yields:
        (b, R) int64, of at most 4 million numbers; at least one part, be it without rows.
    """
    names, patient_of_roi = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count, random = len(names), seeded("bootstrap", seed)
    for rows in rows_of_parts(resamples, len(patients)):
        if count < 2:
            yield np.zeros((rows, len(patients)), np.int64)
            continue
        drawn = random.integers(0, count, (rows, count))
        per_patient = np.bincount(
            (drawn + count * np.arange(rows)[:, None]).ravel(), minlength=rows * count
        )
        yield per_patient.astype(np.int64, copy=False).reshape(rows, count)[:, patient_of_roi]


def rows_of_parts(rows: int, columns: int) -> list[int]:
    """Rows of each part of a table that has at most 4 million cells; one part for no rows."""
    most = max(1, _CELLS // max(columns, 1))
    return [min(most, rows - begin) for begin in range(0, rows, most)] or [0]


def interval(value: float, samples: Values, level: float = 0.95) -> Interval:
    """Return a score with the percentile interval of its resamples (Efron & Tibshirani 1993,
    chapter 13).

    Resamples in which the score is undefined (NaN) are left out; if they are more than half, or
    `value` itself is undefined, the interval is NaN.

    Args:
        value: The score.
        samples: (B,) float64, the score in each resample.
        level: Of the interval, in (0, 1).
    """
    limits = (math.nan, math.nan) if math.isnan(value) else _percentiles(samples, level)
    return Interval(value, *limits)


def difference(
    value_a: float, value_b: float, samples_a: Values, samples_b: Values, level: float = 0.95
) -> Difference:
    """Return a - b with its percentile interval and its p.

    p is twice the smaller share of resamples in which a - b is <= 0 or >= 0, at most 1; one is
    added above and below, as the data themselves are one more sample (Davison & Hinkley 1997,
    section 4.2), so p is never 0. NaN as in `interval`.

    Args:
        value_a: Score of A.
        value_b: Score of B.
        samples_a: (B,) float64, the score of A in each resample.
        samples_b: (B,) float64, of B, from the same weights, so that each pair is of the same
            patients.
        level: Of the interval, in (0, 1).
    """
    gains = samples_a - samples_b
    low, high = _percentiles(gains, level)
    defined = gains[~np.isnan(gains)]
    rarer = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    p = math.nan if math.isnan(low) else min(1.0, 2 * (rarer + 1) / (len(defined) + 1))
    return Difference(value_a - value_b, low, high, p)


def _percentiles(samples: Values, level: float) -> tuple[float, float]:
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0 or 2 * len(defined) < len(samples):
        return math.nan, math.nan
    alpha = (1 - level) / 2
    low, high = np.quantile(defined, [alpha, 1 - alpha])
    return float(low), float(high)
