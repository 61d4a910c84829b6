"""What models did in the test ROIs of each scanner, and resamples of it in which scanners that
share patients stay paired."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from midog.metrics.bootstrap import weights_in_parts
from midog.metrics.counts import Counts, count_table, f1
from midog.metrics.oracle import resample_oracle_f1
from midog.metrics.points import Values
from midog.metrics.pooled_matches import PooledMatches
from midog.random_streams import seed_of_names


@dataclass(frozen=True, eq=False)
class Tested:
    """Results of one model in the test ROIs of one scanner.

    Attributes:
        counts: Of each ROI, at the model's own threshold.
        patients: Of each ROI.
        matches: Of all detections of these ROIs, down to a floor below the threshold; None: they
            do not hold other thresholds.
    """

    counts: Sequence[Counts]
    patients: Sequence[str]
    matches: PooledMatches | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """B resamples of one scanner's test ROIs.

    Attributes:
        counts: (B, 3) float64, tp, fp and fn; NaN where the scanner has one patient alone.
        oracle_f1: (B,) float64, see `resample_oracle_f1`; NaN likewise, and without matches.
    """

    counts: Values
    oracle_f1: Values

    @cached_property
    def f1(self) -> Values:
        """(B,) float64; NaN where the denominator is zero."""
        return f1(*self.counts.T)

    @property
    def threshold_loss(self) -> Values:
        """(B,) float64: the oracle's F1 less F1."""
        return self.oracle_f1 - self.f1


def draw_parts(parts: Mapping[str, Tested], resamples: int, seed: int) -> dict[str, Drawn]:
    """Draw patients within each scanner; those of scanners that share some, once for all of these.

    Args:
        parts: By scanner.
        resamples: Number of resamples B.
        seed: Of the draws.
    """
    drawn: dict[str, Drawn] = {}
    for group in _sharing(parts):
        patients = [patient for scanner in group for patient in parts[scanner].patients]
        ends = np.cumsum([len(parts[scanner].counts) for scanner in group])[:-1]
        counts: dict[str, list[Values]] = {scanner: [] for scanner in group}
        oracles: dict[str, list[Values]] = {scanner: [] for scanner in group}
        for weights in weights_in_parts(patients, resamples, seed_of_names(seed, group)):
            for scanner, mine in zip(group, np.split(weights, ends, axis=1), strict=True):
                part = parts[scanner]
                counts[scanner].append(np.asarray(mine @ count_table(part.counts), np.float64))
                oracles[scanner].append(
                    np.full(len(mine), math.nan)
                    if part.matches is None
                    else resample_oracle_f1(part.matches, mine)
                )
        for scanner in group:
            one = Drawn(np.concatenate(counts[scanner]), np.concatenate(oracles[scanner]))
            if len(set(parts[scanner].patients)) < 2:
                one.counts[:] = math.nan
                one.oracle_f1[:] = math.nan
            drawn[scanner] = one
    return {scanner: drawn[scanner] for scanner in parts}


def _sharing(parts: Mapping[str, Tested]) -> list[list[str]]:
    """The scanners, those together that share a patient, be it by way of a third."""
    groups: list[tuple[list[str], set[str]]] = []
    for scanner, part in parts.items():
        joined, patients = [scanner], set(part.patients)
        apart = []
        for names, theirs in groups:
            if theirs & patients:
                joined, patients = [*names, *joined], theirs | patients
            else:
                apart.append((names, theirs))
        groups = [*apart, (joined, patients)]
    return [names for names, _ in groups]
