"""Whether the values of a column are mixed differently on different scanners, with a permutation
test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.random_streams import seeded

DEALS = 999
"""Permutations of the test."""


@dataclass(frozen=True)
class Mixing:
    """How unlike the mixes of values of several scanners are.

    Attributes:
        distance: The largest total variation between two of them, 0 (one mix) to 1 (no value in
            common).
        p: How often chance makes it at least as large, in (0, 1].
    """

    distance: float
    p: float


def compare_mixes(
    scanners: Sequence[str], patients: Sequence[str], values: Sequence[str], *, seed: int = 0
) -> Mixing:
    """Test whether values go with scanners more than chance has it.

    p is that of a permutation test, 999 drawn: scanners are dealt anew to the patients, each with
    all its ROIs, as ROIs of one patient are not independent (a patient on two scanners counts as
    two). One is added above and below, so it is never 0. With fewer than two scanners the distance
    is 0 and p is 1.

    Args:
        scanners: Of each ROI.
        patients: Of each ROI.
        values: Of each ROI.
        seed: Of the permutations.
    """
    if len(set(scanners)) < 2:
        return Mixing(0.0, 1.0)
    names, of_roi = np.unique(
        np.array(list(zip(scanners, patients, strict=True))), axis=0, return_inverse=True
    )
    kinds, kind = np.unique(np.array(list(values)), return_inverse=True)
    sides, side = np.unique(names[:, 0], return_inverse=True)
    counts = np.zeros((len(names), len(kinds)))
    np.add.at(counts, (of_roi.ravel(), kind), 1)
    belongs = np.eye(len(sides))[side]  # (patients, scanners)

    def largest(order: IntArray) -> float:
        mixes = belongs.T @ counts[order]
        mixes /= mixes.sum(axis=1, keepdims=True)
        return float(np.abs(mixes[:, None] - mixes).sum(axis=2).max() / 2)

    rng = seeded("deals", seed)
    distance = largest(np.arange(len(names)))
    as_large = sum(largest(rng.permutation(len(names))) >= distance - 1e-12 for _ in range(DEALS))
    return Mixing(distance, (as_large + 1) / (DEALS + 1))
