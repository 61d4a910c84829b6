"""What a change of scanner costs: F1 of each model on each scanner, seen against unseen, and what
goes with it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from midog.metrics.bootstrap import Interval, draw_weights, interval
from midog.metrics.counts import Counts, Values, ratios
from midog.random_streams import seed_of_names, seeded

PUBLISHED_SCANNERS = ("Hamamatsu XR", "Aperio CS2", "Hamamatsu S360")
PUBLISHED_F1 = ((0.578, 0.138, 0.190), (0.390, 0.751, 0.433), (0.432, 0.574, 0.721))
"""F1 of models trained on the scanner of the row and tested on that of the column, MIDOG 2021
(Aubreville et al., 'Quantifying the Scanner-Induced Domain Gap in Mitosis Detection', MIDL 2021,
arXiv:2103.16515): other data and another detector, a reference and no baseline."""

DEALS = 999
"""Permutations of `mixing`."""

ALL_ORDERS_TO = 8
"""Pairs up to which a permutation test goes through all orders."""


@dataclass(frozen=True, eq=False)
class Tested:
    """What one model did in the test ROIs of one scanner. counts, patients: of each ROI."""

    counts: Sequence[Counts]
    patients: Sequence[str]


@dataclass(frozen=True)
class Cell:
    """One model on one scanner. seen: it trained on that scanner. f1: NaN without figures and
    points."""

    seen: bool
    rois: int
    counts: Counts
    f1: Interval


@dataclass(frozen=True)
class ModelRow:
    """One model on every scanner.

    name: of its run. train_on: its scanners. seen, unseen: F1 over all test ROIs of the scanners
    that it trained on, and of the others. drop: seen less unseen. best, worst: scanners by F1, ""
    where there are fewer than two.
    """

    name: str
    train_on: tuple[str, ...]
    cells: Mapping[str, Cell]
    seen: Interval
    unseen: Interval
    drop: Interval
    best: str
    worst: str


@dataclass(frozen=True)
class Matrix:
    """All models. on_diagonal, off_diagonal, gap: mean F1 of the models of one scanner on their own
    scanner, on the others, and the difference; NaN where there are none."""

    rows: tuple[ModelRow, ...]
    on_diagonal: Interval
    off_diagonal: Interval
    gap: Interval


@dataclass(frozen=True)
class Loss:
    """A model on a scanner that it has not seen.

    from_own: its F1 on what it has seen, less that on `scanner`: how far its number falls.
    from_native: F1 of the model(s) trained on `scanner` alone, less this one's there: what training
    on the other scanner costs; NaN where no such model is. The first also holds how hard the two
    test sets are, the second compares on one test set.
    """

    model: str
    train_on: tuple[str, ...]
    scanner: str
    from_own: float
    from_native: float


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rho over n pairs, and the p of a permutation test; NaN with fewer than 3 pairs or
    equal values."""

    rho: float
    p: float
    n: int


def build_matrix(
    models: Sequence[tuple[str, tuple[str, ...], Mapping[str, Tested]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Matrix:
    """Every model on every scanner, with 95 % bootstrap intervals.

    models: (name, scanners trained on, test part by scanner). Patients are drawn within each
    scanner; those of scanners that share patients are drawn once for all of these, so that seen and
    unseen are paired. The draws are the same for all models that are tested on the same patients,
    so that differences of models are paired too.
    """
    drawn = [(name, train_on, _draw(parts, resamples, seed)) for name, train_on, parts in models]
    rows = tuple(
        _row(name, train_on, parts, samples)
        for (name, train_on, parts), (_, _, samples) in zip(models, drawn, strict=True)
    )
    single = [
        (row, samples)
        for row, (_, _, samples) in zip(rows, drawn, strict=True)
        if len(row.train_on) == 1
    ]
    sides = {}
    for seen in (True, False):
        chosen = [
            (cell.f1.value, _f1(samples[name]))
            for row, samples in single
            for name, cell in row.cells.items()
            if cell.seen is seen and not math.isnan(cell.f1.value)
        ]
        values = np.array([value for value, _ in chosen])
        sides[seen] = (
            float(values.mean()) if len(values) else math.nan,
            np.mean([each for _, each in chosen], axis=0)
            if chosen
            else np.full(resamples, math.nan),
        )
    gap = sides[True][0] - sides[False][0], sides[True][1] - sides[False][1]
    return Matrix(rows, interval(*sides[True]), interval(*sides[False]), interval(*gap))


def losses(matrix: Matrix) -> list[Loss]:
    """Each model on each scanner that it has not seen; models of one scanner where there are any,
    else all of them.

    Of several models of one scanner alone (other seeds, say) the mean F1 is the native one.
    """
    single = [row for row in matrix.rows if len(row.train_on) == 1]
    found = []
    for row in single or matrix.rows:
        for scanner, cell in row.cells.items():
            if cell.seen:
                continue
            native = [
                each.cells[scanner].f1.value
                for each in single
                if scanner in each.cells and scanner in each.train_on
            ]
            own = float(np.mean(native)) if native else math.nan
            found.append(
                Loss(
                    row.name,
                    row.train_on,
                    scanner,
                    row.seen.value - cell.f1.value,
                    own - cell.f1.value,
                )
            )
    return found


def rank_correlation(distances: Sequence[float], drops: Sequence[float]) -> RankCorrelation:
    """Spearman's rho of a distance with a loss over pairs; pairs with a NaN are left out.

    p: two-sided, by permutation of the losses (all of them up to 8 pairs, else 9,999 drawn). The
    pairs share scanners and are not independent, so it is an optimistic p.
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


@dataclass(frozen=True)
class Mixing:
    """How unlike the mixes of values of several scanners are.

    distance: the largest total variation between two of them, 0 (one mix) to 1 (no value in
    common). p: how often chance makes it at least as large.
    """

    distance: float
    p: float


def mixing(
    scanners: Sequence[str], patients: Sequence[str], values: Sequence[str], *, seed: int = 0
) -> Mixing:
    """Do values go with scanners more than chance has it? scanners, patients, values: of each ROI.

    p is that of a permutation test, 999 drawn: scanners are dealt anew to the patients, each with
    all its ROIs, as ROIs of one patient are no evidence each (a patient on two scanners counts as
    two). One is added above and below, so it is never 0. Distance 0 and p 1 with fewer than two
    scanners.
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

    def largest(order: NDArray[np.int64]) -> float:
        mixes = belongs.T @ counts[order]
        mixes /= mixes.sum(axis=1, keepdims=True)
        return float(np.abs(mixes[:, None] - mixes).sum(axis=2).max() / 2)

    rng = seeded("deals", seed)
    distance = largest(np.arange(len(names)))
    as_large = sum(largest(rng.permutation(len(names))) >= distance - 1e-12 for _ in range(DEALS))
    return Mixing(distance, (as_large + 1) / (DEALS + 1))


def _reorderings(values: Values) -> Values:
    """All orders of up to 8 values, 9,999 drawn ones of more; (orders, n)."""
    if len(values) <= ALL_ORDERS_TO:
        return np.array(list(itertools.permutations(values)))
    return seeded("orders", 0).permuted(np.tile(values, (9999, 1)), axis=1)


def _draw(parts: Mapping[str, Tested], resamples: int, seed: int) -> dict[str, Values]:
    """(B, 3) tp, fp, fn of each scanner in each resample, NaN where it has one patient alone."""
    samples = {}
    for group in _sharing(parts):
        # a stream of its own for each scanner, by name: the same whatever other scanners there are
        own = seed_of_names(seed, group)
        weights = draw_weights(
            [name for scanner in group for name in parts[scanner].patients], resamples, own
        )
        ends = np.cumsum([len(parts[scanner].counts) for scanner in group])
        for scanner, mine in zip(group, np.split(weights, ends[:-1], axis=1), strict=True):
            counts = np.array(
                [[each.tp, each.fp, each.fn] for each in parts[scanner].counts]
            ).reshape(-1, 3)
            samples[scanner] = (mine @ counts).astype(np.float64)
            if len(set(parts[scanner].patients)) < 2:
                samples[scanner][:] = math.nan
    return {scanner: samples[scanner] for scanner in parts}


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


def _row(
    name: str, train_on: tuple[str, ...], parts: Mapping[str, Tested], samples: Mapping[str, Values]
) -> ModelRow:
    pooled = {scanner: sum(part.counts, Counts()) for scanner, part in parts.items()}
    cells = {
        scanner: Cell(
            scanner in train_on,
            len(parts[scanner].counts),
            pooled[scanner],
            interval(pooled[scanner].f1, _f1(samples[scanner])),
        )
        for scanner in parts
    }
    sides = []
    for seen in (True, False):
        mine = [scanner for scanner, cell in cells.items() if cell.seen is seen]
        value = sum((pooled[scanner] for scanner in mine), Counts()).f1
        drawn = sum(
            (samples[scanner] for scanner in mine),
            np.zeros((len(next(iter(samples.values()), ())), 3)),
        )
        sides.append((value, _f1(drawn)))
    (seen_value, seen_drawn), (unseen_value, unseen_drawn) = sides
    ranked = sorted(
        (s for s in cells if not math.isnan(cells[s].f1.value)), key=lambda s: cells[s].f1.value
    )
    return ModelRow(
        name,
        train_on,
        cells,
        seen=interval(seen_value, seen_drawn),
        unseen=interval(unseen_value, unseen_drawn),
        drop=interval(seen_value - unseen_value, seen_drawn - unseen_drawn),
        best=ranked[-1] if len(ranked) > 1 else "",
        worst=ranked[0] if len(ranked) > 1 else "",
    )


def _f1(drawn: Values) -> Values:
    """(B,) of (B, 3) tp, fp, fn; NaN where the denominator is zero."""
    tp, fp, fn = drawn.T
    return ratios(2 * tp, 2 * tp + fp + fn)
