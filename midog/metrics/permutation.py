"""The paired permutation test over patients: would models that are as good as each other differ as
much as these?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from midog.boxes import IntArray
from midog.metrics.bootstrap import rows_of_parts
from midog.metrics.points import Values
from midog.random_streams import seeded

_ROUNDING = 1e-12
"""Differences that are equal but for rounding count as equal; the scores are at most 8."""


def swap_weights(patients: Sequence[str], resamples: int, seed: int) -> IntArray:
    """Tell which of A's and B's ROIs stand on the first side, A and B being swapped for some
    patients.

    If A and B are equally good, it is chance which of the two results of a patient is A's, so that
    every row is as likely as row 0 (Ernst, Statistical Science 2004, 'Permutation methods: a basis
    for exact inference'). The rows are all 2^P swaps of P patients if that is at most `resamples`;
    else so many random ones follow row 0. They depend on the names, `resamples` and `seed` alone,
    not on the order of the ROIs.

    Args:
        patients: The patient of each of R ROIs.
        resamples: The most swaps.
        seed: Of the random swaps.

    Returns:
        (S, 2 R) int64, 0 or 1; 1 - weights is the other side. Columns are A's ROI 1, B's ROI 1, A's
        ROI 2, …, so that either side has its ROIs in their order. Row 0 swaps nobody. No row for
        fewer than two patients, as one says nothing about others.
    """
    return np.concatenate(list(swaps_in_parts(patients, resamples, seed)))


def swaps_in_parts(patients: Sequence[str], resamples: int, seed: int) -> Iterator[IntArray]:
    """Yield the rows of `swap_weights` part by part, so that any number of them takes a few hundred
    MB.

    Args:
        patients: As of `swap_weights`.
        resamples: As of `swap_weights`.
        seed: As of `swap_weights`.

    Yields:
        (s, 2 R) int64, of at most 4 million numbers; at least one part, be it without rows.
    """
    names, patient_of_roi = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = len(names)
    if count < 2:
        yield np.zeros((0, 2 * len(patients)), np.int64)
        return
    all_swaps, random, begin = 2**count <= resamples, seeded("sides", seed), 0
    for rows in rows_of_parts(2**count if all_swaps else resamples + 1, 2 * len(patients)):
        if all_swaps:
            swapped = np.arange(begin, begin + rows)[:, None] >> np.arange(count) & 1
        else:
            swapped = random.integers(0, 2, (rows, count))
            swapped[: 1 if begin == 0 else 0] = 0
        begin += rows
        kept = 1 - swapped[:, patient_of_roi]
        yield np.stack([kept, 1 - kept], axis=2).reshape(rows, -1).astype(np.int64, copy=False)


def p_value(samples_a: Values, samples_b: Values) -> float:
    """Return the two-sided p: the share of swaps in which the sides differ at least as much as A
    and B do.

    Args:
        samples_a: (S,) a score of the first side from `swap_weights`, row 0 that of A itself.
        samples_b: (S,) of the other side.

    Returns:
        In (0, 1], as A and B themselves count as one of the swaps. Swaps in which a side's score is
        undefined (NaN) are left out; if they are more than half, or row 0 is one of them, or there
        is no swap, p is NaN.
    """
    gains = np.abs(samples_a - samples_b)
    defined = gains[~np.isnan(gains)]
    if len(defined) == 0 or 2 * len(defined) < len(gains) or np.isnan(gains[0]):
        return math.nan
    return float(np.mean(defined >= gains[0] - _ROUNDING))
