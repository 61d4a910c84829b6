"""Confidence intervals: the bootstrap over patients, and the paired one that tells whether one
model beats another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.bootstrap_areas import resample_areas
from midog.metrics.counts import Counts, Values, ratios
from midog.metrics.pooled_matches import Hits, RoiPoints
from midog.random_streams import seeded


@dataclass(frozen=True)
class Interval:
    """A figure and its confidence interval. low, high: NaN where not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Figure of model A less that of model B, its interval, and the two-sided p of "no difference";
    NaN: not known."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, eq=False)
class Samples:
    """Each figure in each resample, (B,) float64; NaN where it is undefined there."""

    precision: Values
    recall: Values
    f1: Values
    ap50: Values
    froc_auc: Values


@dataclass(frozen=True, eq=False)
class Rates:
    """Figures per ROI and per area in each resample, (B,) float64; NaN where they are undefined
    there."""

    fp_per_roi: Values
    fp_per_mm2: Values
    figures_per_mm2: Values
    found_per_mm2: Values
    figures_per_2mm2: Values
    found_per_2mm2: Values


def draw_weights(patients: Sequence[str], resamples: int, seed: int) -> IntArray:
    """How often each ROI counts in each resample: (B, R) int64 for the patient of each ROI (R,) and
    B resamples.

    Patients are drawn with replacement, as many as there are, and all ROIs of a patient come with
    each draw of it (Field & Welsh, J. R. Stat. Soc. B 2007: the cluster bootstrap). A patient's
    draws depend on the names, `resamples` and `seed` alone, not on the order of the ROIs. One
    patient says nothing about others: the weights are then 0, so that every figure is undefined in
    every resample. For a group of ROIs, draw among the patients of that group.
    """
    names, patient_of_roi = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = len(names)
    if count < 2:
        return np.zeros((resamples, len(patients)), np.int64)
    drawn = seeded("bootstrap", seed).integers(0, count, (resamples, count))
    per_patient = np.bincount(
        (drawn + count * np.arange(resamples)[:, None]).ravel(), minlength=resamples * count
    )
    return per_patient.astype(np.int64, copy=False).reshape(resamples, count)[:, patient_of_roi]


def resample(counts: Sequence[Counts], points: Sequence[RoiPoints], weights: IntArray) -> Samples:
    """Every figure in every resample, as if each ROI stood `weights` times in a row in the list of
    ROIs.

    counts, points: of the R ROIs. weights: (B, R) int64 from `draw_weights`. precision, recall and
    f1 are of `counts`; ap50 and froc_auc are, to the last bit, `average_precision` and `froc_auc`
    of that list.
    """
    return resample_hits(counts, Hits.of(points), weights)


def resample_hits(counts: Sequence[Counts], hits: Hits, weights: IntArray) -> Samples:
    """`resample` of points that are matched already."""
    assert len(counts) == len(hits.figures) == weights.shape[1], (
        len(counts),
        len(hits.figures),
        weights.shape,
    )
    tp, fp, fn = (
        weights @ np.array([(c.tp, c.fp, c.fn) for c in counts], np.int64).reshape(-1, 3)
    ).T
    ap50, froc_auc = resample_areas(hits, weights)
    return Samples(
        precision=ratios(tp, tp + fp),
        recall=ratios(tp, tp + fn),
        f1=ratios(2 * tp, 2 * tp + fp + fn),
        ap50=ap50,
        froc_auc=froc_auc,
    )


def resample_rates(counts: Sequence[Counts], area_mm2: Values, weights: IntArray) -> Rates:
    """The rates in every resample, as if each ROI stood `weights` times in a row in the list of
    ROIs.

    counts: of the R ROIs. area_mm2: (R,) of their images; with one NaN among them no rate per area
    is known, in any resample. weights: (B, R) int64 from `draw_weights`.
    """
    tp, fp, fn = (
        weights @ np.array([(c.tp, c.fp, c.fn) for c in counts], np.int64).reshape(-1, 3)
    ).T
    # an ROI drawn 0 times must not hide its NaN: not every BLAS makes 0 * NaN a NaN
    area = np.full(len(weights), np.nan) if np.isnan(area_mm2).any() else weights @ area_mm2
    return Rates(
        fp_per_roi=ratios(fp, weights.sum(axis=1)),
        fp_per_mm2=ratios(fp, area),
        figures_per_mm2=ratios(tp + fn, area),
        found_per_mm2=ratios(tp + fp, area),
        figures_per_2mm2=ratios(2 * (tp + fn), area),
        found_per_2mm2=ratios(2 * (tp + fp), area),
    )


def interval(value: float, samples: Values, level: float = 0.95) -> Interval:
    """`value` with the percentile interval of its resamples (B,) (Efron & Tibshirani 1993, chapter
    13).

    Resamples in which the figure is undefined (NaN) are left out; where they are more than half, or
    `value` itself is undefined, the interval is NaN.
    """
    return Interval(
        value, *((math.nan, math.nan) if math.isnan(value) else _percentiles(samples, level))
    )


def difference(
    value_a: float, value_b: float, samples_a: Values, samples_b: Values, level: float = 0.95
) -> Difference:
    """Is A's figure another than B's? The percentile interval of a - b and its p.

    samples_a, samples_b: (B,) from the same weights, so that each pair is of the same patients. p
    is twice the smaller share of resamples in which a - b is <= 0 or >= 0, at most 1; one is added
    above and below, as the data themselves are one more sample (Davison & Hinkley 1997, section
    4.2), so p is never 0. NaN as in `interval`.
    """
    gains = samples_a - samples_b
    low, high = _percentiles(gains, level)
    known = gains[~np.isnan(gains)]
    rarer = min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    p = math.nan if math.isnan(low) else min(1.0, 2 * (rarer + 1) / (len(known) + 1))
    return Difference(value_a - value_b, low, high, p)


def _percentiles(samples: Values, level: float) -> tuple[float, float]:
    known = samples[~np.isnan(samples)]
    if len(known) == 0 or 2 * len(known) < len(samples):
        return math.nan, math.nan
    alpha = (1 - level) / 2
    low, high = np.quantile(known, [alpha, 1 - alpha])
    return float(low), float(high)
