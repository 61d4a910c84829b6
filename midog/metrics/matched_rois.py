"""The matched ROIs of a group, and resamples of them: what every measure is computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from midog.boxes import IntArray
from midog.metrics.agreement import Agreement, AgreementSamples, agreement, resample_agreement
from midog.metrics.calibration import Reliability, reliability
from midog.metrics.counts import Counts, count_table, f1
from midog.metrics.oracle import Oracle, oracle_of_sweep, resample_oracle_f1
from midog.metrics.points import Values
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.sweep import Sweep, sweep_matched


@dataclass(frozen=True, eq=False)
class MatchedRois:
    """R ROIs with their matches.

    Attributes:
        counts: Of each ROI.
        areas_mm2: (R,) float64, of their images; NaN where it is not known.
        matches: Of all their detections, whether they count or not.
    """

    counts: Sequence[Counts]
    areas_mm2: Values
    matches: PooledMatches

    def __post_init__(self) -> None:
        sizes = len(self.counts), len(self.areas_mm2), len(self.matches.figures)
        assert len(set(sizes)) == 1, sizes

    def select(self, rois: Sequence[int] | IntArray) -> MatchedRois:
        """Those of some ROIs, in the order given."""
        rois = np.asarray(rois, np.int64)
        counts = [self.counts[number] for number in rois.tolist()]
        return MatchedRois(counts, self.areas_mm2[rois], self.matches.select(rois))

    @cached_property
    def figure_free(self) -> MatchedRois:
        """Those without a true figure."""
        return self.select(np.flatnonzero(self.matches.figures == 0))

    @cached_property
    def with_figures(self) -> MatchedRois:
        """Those with a true figure."""
        return self.select(np.flatnonzero(self.matches.figures))

    @cached_property
    def pooled(self) -> Counts:
        """The counts of all ROIs together."""
        return sum(self.counts, Counts())

    @cached_property
    def figures(self) -> int:
        """True figures."""
        return int(self.matches.figures.sum())

    @cached_property
    def area_mm2(self) -> float:
        """Area of all ROIs together; NaN if one is not known."""
        return math.fsum(self.areas_mm2)

    @cached_property
    def sweep(self) -> Sweep:
        """The counts at every threshold."""
        return sweep_matched(self.matches.scores, self.matches.by_radius, self.figures)

    @cached_property
    def oracle(self) -> Oracle:
        """The best threshold, chosen on these ROIs."""
        return oracle_of_sweep(self.sweep)

    @cached_property
    def densities(self) -> tuple[Values, Values]:
        """True figures and detections that count per mm2, (R,) and (R,)."""
        tp, fp, fn = count_table(self.counts).T
        return (tp + fn) / self.areas_mm2, (tp + fp) / self.areas_mm2

    @cached_property
    def agreement(self) -> Agreement:
        """Agreement of detected with true densities."""
        return agreement(*self.densities)

    @cached_property
    def reliability(self) -> Reliability:
        """Reliability of the scores of all detections."""
        return reliability(self.matches.scores, self.matches.by_radius)


@dataclass(frozen=True, eq=False)
class Resamples:
    """B resamples of R ROIs, as if each ROI stood `weights` times in a row in the list of ROIs.

    Attributes:
        rois: The ROIs.
        weights: (B, R) int64, see `draw_weights`.
    """

    rois: MatchedRois
    weights: IntArray

    def __post_init__(self) -> None:
        assert self.weights.shape[1] == len(self.rois.counts), self.weights.shape

    @cached_property
    def counts(self) -> IntArray:
        """(3, B) int64: tp, fp and fn of each resample."""
        return np.asarray((self.weights @ count_table(self.rois.counts)).T)

    @property
    def tp(self) -> IntArray:
        """True positives, (B,) int64."""
        return np.asarray(self.counts[0])

    @property
    def fp(self) -> IntArray:
        """False positives, (B,) int64."""
        return np.asarray(self.counts[1])

    @property
    def fn(self) -> IntArray:
        """False negatives, (B,) int64."""
        return np.asarray(self.counts[2])

    @property
    def f1(self) -> Values:
        """F1, (B,) float64; NaN without figures and detections that count."""
        return f1(self.tp, self.fp, self.fn)

    @cached_property
    def oracle_f1(self) -> Values:
        """F1 at the best threshold of each resample, (B,) float64; NaN without figures."""
        return resample_oracle_f1(self.rois.matches, self.weights)

    @cached_property
    def size(self) -> IntArray:
        """Number of ROIs, (B,) int64."""
        return np.asarray(self.weights.sum(axis=1))

    @cached_property
    def area_mm2(self) -> Values:
        """Area, (B,) float64; NaN in every resample if that of one ROI is not known."""
        areas = self.rois.areas_mm2
        if np.isnan(areas).any():  # not every BLAS makes 0 * NaN a NaN
            return np.full(len(self.weights), np.nan)
        return np.asarray(self.weights @ areas)

    @cached_property
    def agreement(self) -> AgreementSamples:
        """Agreement of detected with true densities."""
        return resample_agreement(*self.rois.densities, self.weights)
