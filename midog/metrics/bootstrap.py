"""Confidence intervals: the bootstrap over patients, and the paired one that tells whether one model beats another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.froc import sweep_auc
from midog.metrics.scores import (
    HALF_SIDE_MM,
    Counts,
    RoiPoints,
    Sweep,
    Values,
    found_hits,
    interpolated_precision,
    overlap_hits,
    ratios,
)


@dataclass(frozen=True)
class Interval:
    """A figure and its confidence interval. low, high: NaN where not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Figure of model A less that of model B, its interval, and the two-sided p of "no difference"; NaN: not known."""

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
    """Figures per ROI and per area in each resample, (B,) float64; NaN where they are undefined there."""

    fp_per_roi: Values
    fp_per_mm2: Values
    figures_per_mm2: Values
    found_per_mm2: Values
    figures_per_2mm2: Values
    found_per_2mm2: Values


def draw_weights(patients: Sequence[str], resamples: int, seed: int) -> IntArray:
    """How often each ROI counts in each resample: (B, R) int64 for the patient of each ROI (R,) and B resamples.

    Patients are drawn with replacement, as many as there are, and all ROIs of a patient come with each draw of it
    (Field & Welsh, J. R. Stat. Soc. B 2007: the cluster bootstrap). A patient's draws depend on the names, `resamples`
    and `seed` alone, not on the order of the ROIs. One patient says nothing about others: the weights are then 0, so
    that every figure is undefined in every resample. For a group of ROIs, draw among the patients of that group.
    """
    names, patient_of_roi = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = len(names)
    if count < 2:
        return np.zeros((resamples, len(patients)), np.int64)
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    per_patient = np.bincount((drawn + count * np.arange(resamples)[:, None]).ravel(), minlength=resamples * count)
    return per_patient.astype(np.int64, copy=False).reshape(resamples, count)[:, patient_of_roi]


def resample(counts: Sequence[Counts], points: Sequence[RoiPoints], weights: IntArray) -> Samples:
    """Every figure in every resample, as if each ROI stood `weights` times in a row in the list of ROIs.

    counts, points: of the R ROIs. weights: (B, R) int64 from `draw_weights`. precision, recall and f1 are of `counts`;
    ap50 and froc_auc are, to the last bit, `average_precision` and `froc_auc` of that list.
    """
    assert len(counts) == len(points) == weights.shape[1], (len(counts), len(points), weights.shape)
    tp, fp, fn = (weights @ np.array([(c.tp, c.fp, c.fn) for c in counts], np.int64).reshape(-1, 3)).T
    figures = weights @ np.array([len(roi.truth_mm) for roi in points], np.int64)
    ranking = _rank(points, copies=int(weights.max(initial=0)))
    ap50, froc_auc = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    for at in np.flatnonzero(figures):
        ap50[at], froc_auc[at] = _areas(ranking, weights[at], int(figures[at]))
    return Samples(
        precision=ratios(tp, tp + fp),
        recall=ratios(tp, tp + fn),
        f1=ratios(2 * tp, 2 * tp + fp + fn),
        ap50=ap50,
        froc_auc=froc_auc,
    )


def resample_rates(counts: Sequence[Counts], area_mm2: Values, weights: IntArray) -> Rates:
    """The rates in every resample, as if each ROI stood `weights` times in a row in the list of ROIs.

    counts: of the R ROIs. area_mm2: (R,) of their images; with one NaN among them no rate per area is known, in any
    resample. weights: (B, R) int64 from `draw_weights`.
    """
    tp, fp, fn = (weights @ np.array([(c.tp, c.fp, c.fn) for c in counts], np.int64).reshape(-1, 3)).T
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
    """`value` with the percentile interval of its resamples (B,) (Efron & Tibshirani 1993, chapter 13).

    Resamples in which the figure is undefined (NaN) are left out; where they are more than half, or `value` itself is
    undefined, the interval is NaN.
    """
    return Interval(value, *((math.nan, math.nan) if math.isnan(value) else _percentiles(samples, level)))


def difference(value_a: float, value_b: float, samples_a: Values, samples_b: Values, level: float = 0.95) -> Difference:
    """Is A's figure another than B's? The percentile interval of a - b and its p.

    samples_a, samples_b: (B,) from the same weights, so that each pair is of the same patients. p is twice the smaller
    share of resamples in which a - b is <= 0 or >= 0, at most 1; one is added above and below, as the data themselves
    are one more sample (Davison & Hinkley 1997, section 4.2), so p is never 0. NaN as in `interval`.
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


@dataclass(frozen=True, eq=False)
class _Ranking:
    """The found points of all ROIs by falling score, at C places.

    weight_at: (C,) int64, where `_weight_table` says how often the place counts. copies: highest weight of any ROI.
    squares, circles: (H,) int64, places of the hits by overlap (for AP) and by distance (for FROC).
    thresholds: (K,) float64, the distinct scores, falling. places, circles_to: (K,) int64, how many places, and how
    many of `circles`, have at least that score.
    """

    weight_at: IntArray
    copies: int
    squares: IntArray
    circles: IntArray
    thresholds: Values
    places: IntArray
    circles_to: IntArray


def _rank(points: Sequence[RoiPoints], copies: int) -> _Ranking:
    """Sort once for all resamples, in the order in which `average_precision` would sort the resampled list."""
    scores = np.concatenate([np.zeros(0), *(roi.scores for roi in points)])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    owner = np.repeat(np.arange(len(points)), np.array([len(roi.scores) for roi in points], np.int64))[order]
    square = np.concatenate([np.zeros(0, bool), *(overlap_hits(roi, HALF_SIDE_MM, 0.5) for roi in points)])[order]
    circle = np.concatenate([np.zeros(0, bool), *(found_hits(roi) for roi in points)])[order]

    point, copy = _lay_out(scores, owner, square, copies)
    negated, circles = -scores[point], np.flatnonzero(circle[point])
    thresholds = np.unique(negated)
    places = np.searchsorted(negated, thresholds, side="right")
    return _Ranking(
        weight_at=owner[point] + len(points) * copy,
        copies=copies,
        squares=np.flatnonzero(square[point]),
        circles=circles,
        thresholds=-thresholds,
        places=places,
        circles_to=np.searchsorted(circles, places),
    )


def _lay_out(scores: Values, owner: IntArray, hits: NDArray[np.bool_], copies: int) -> tuple[IntArray, IntArray]:
    """Which point stands at each place (C,), and which copy of it: 1, 2, …, or 0 for all of them together.

    A place can count as often as its ROI was drawn, except where hits and false alarms of one ROI tie: drawn twice, a
    hit and a false alarm (h f) stand in the list as h f h f, not as h h f f. Such a run is laid out copy by copy.
    scores, owner (the ROI), hits: (M,), sorted by falling score, then ROI.
    """
    starts = np.ones(len(scores), bool)
    starts[1:] = (scores[1:] != scores[:-1]) | (owner[1:] != owner[:-1])
    run = np.cumsum(starts) - 1
    mixed = ((np.bincount(run, hits) > 0) & (np.bincount(run, ~hits) > 0))[run]
    times = np.where(mixed, copies, 1)
    point = np.repeat(np.arange(len(scores)), times)
    copy = np.arange(len(point)) - np.repeat(np.cumsum(times) - times, times) + 1
    copy[~mixed[point]] = 0
    order = np.lexsort((point, copy, run[point]))
    return point[order], copy[order]


def _weight_table(weights: IntArray, copies: int) -> IntArray:
    """How often a place counts: the ROI's weight (R,), then for each copy whether the ROI has that many."""
    has_copy = weights > np.arange(copies)[:, None]
    return np.concatenate([weights, has_copy.ravel()])


def _areas(ranking: _Ranking, weights: IntArray, figures: int) -> tuple[float, float]:
    """Average precision and the area under FROC of one resample, weights (R,), with at least one figure."""
    table = _weight_table(weights, ranking.copies)
    found = _running(table[ranking.weight_at])
    tp = _running(table[ranking.weight_at[ranking.squares]])
    ap50 = interpolated_precision(tp[1:], found[ranking.squares + 1], figures)

    tp = _running(table[ranking.weight_at[ranking.circles]])[ranking.circles_to]
    fp = found[ranking.places] - tp
    # `sweep_auc` spreads its thresholds from the highest score to the lowest: of those that were drawn.
    first, last = np.searchsorted(tp + fp, [1, found[-1]])
    drawn = slice(first, last + 1)
    return ap50, sweep_auc(Sweep(ranking.thresholds[drawn], tp[drawn], fp[drawn], figures), int(weights.sum()))


def _running(amounts: IntArray) -> IntArray:
    """Sums of the first 0, 1, … N amounts, (N + 1,)."""
    sums = np.zeros(len(amounts) + 1, np.int64)
    np.cumsum(amounts, out=sums[1:])
    return sums
