"""What a change of scanner costs: F1 of each model on each scanner, seen against unseen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.bootstrap import Interval, interval, weights_in_parts
from midog.metrics.counts import Counts, count_table, f1
from midog.metrics.points import Values
from midog.random_streams import seed_of_names

PUBLISHED_SCANNERS = ("Hamamatsu XR", "Aperio CS2", "Hamamatsu S360")
PUBLISHED_F1 = ((0.578, 0.138, 0.190), (0.390, 0.751, 0.433), (0.432, 0.574, 0.721))
"""F1 of models trained on the scanner of the row and tested on that of the column, MIDOG 2021
(Aubreville et al., 'Quantifying the Scanner-Induced Domain Gap in Mitosis Detection', MIDL 2021,
arXiv:2103.16515): other data and another detector, a reference and no baseline."""


@dataclass(frozen=True, eq=False)
class Tested:
    """Results of one model in the test ROIs of one scanner.

    Attributes:
        counts: Of each ROI.
        patients: Of each ROI.
    """

    counts: Sequence[Counts]
    patients: Sequence[str]


@dataclass(frozen=True)
class Cell:
    """One model on one scanner.

    Attributes:
        seen: It was trained on that scanner.
        rois: Number of test ROIs.
        counts: Pooled over them.
        f1: NaN without figures and detections.
    """

    seen: bool
    rois: int
    counts: Counts
    f1: Interval


@dataclass(frozen=True)
class ModelRow:
    """One model on every scanner.

    Attributes:
        name: Of its run.
        train_on: Its scanners.
        cells: By scanner.
        seen: F1 over all test ROIs of the scanners that it was trained on.
        unseen: F1 over those of the others.
        drop: seen less unseen.
        best: Scanner of the highest F1, "" with fewer than two.
        worst: Scanner of the lowest F1, "" with fewer than two.
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
    """All models on all scanners; intervals are NaN where there is nothing to take them of.

    Attributes:
        rows: One for each model.
        on_diagonal: Mean F1 of the models of one scanner on their own scanner.
        off_diagonal: The same on the other scanners.
        gap: The difference.
    """

    rows: tuple[ModelRow, ...]
    on_diagonal: Interval
    off_diagonal: Interval
    gap: Interval


@dataclass(frozen=True)
class Loss:
    """What a model loses on a scanner that it has not seen.

    The first number also holds how hard the two test sets are, the second compares on one test set.

    Attributes:
        model: Name of its run.
        train_on: Its scanners.
        scanner: The unseen one.
        from_own: F1 on what it has seen, less that on `scanner`: how far its number falls.
        from_native: F1 of the model or models trained on `scanner` alone, less this one's there:
            what training on the other scanner costs; NaN without such a model.
    """

    model: str
    train_on: tuple[str, ...]
    scanner: str
    from_own: float
    from_native: float


def build_matrix(
    models: Sequence[tuple[str, tuple[str, ...], Mapping[str, Tested]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Matrix:
    """Test every model on every scanner, with 95 % bootstrap intervals.

    Patients are drawn within each scanner; those of scanners that share patients are drawn once for
    all of these, so that seen and unseen are paired. The draws are the same for all models that are
    tested on the same patients, so that differences of models are paired too.

    Args:
        models: (name, scanners trained on, test part by scanner) of each model.
        resamples: Number of resamples B.
        seed: Of the draws.
    """
    samples = [_draw(parts, resamples, seed) for _, _, parts in models]
    rows = tuple(_row(*model, drawn) for model, drawn in zip(models, samples, strict=True))
    single = [
        (row, drawn) for row, drawn in zip(rows, samples, strict=True) if len(row.train_on) == 1
    ]
    own, own_samples = _mean_f1(single, seen=True, resamples=resamples)
    other, other_samples = _mean_f1(single, seen=False, resamples=resamples)
    return Matrix(
        rows,
        interval(own, own_samples),
        interval(other, other_samples),
        interval(own - other, own_samples - other_samples),
    )


def _mean_f1(
    rows: Sequence[tuple[ModelRow, Mapping[str, Values]]], *, seen: bool, resamples: int
) -> tuple[float, Values]:
    """Mean F1 over the cells that are seen, or those that are not, and its resamples (B,)."""
    cells = [
        (cell.f1.value, _f1_of(drawn[scanner]))
        for row, drawn in rows
        for scanner, cell in row.cells.items()
        if cell.seen is seen and not math.isnan(cell.f1.value)
    ]
    if not cells:
        return math.nan, np.full(resamples, math.nan)
    mean = float(np.array([value for value, _ in cells]).mean())
    return mean, np.asarray(np.mean([samples for _, samples in cells], axis=0))


def losses(matrix: Matrix) -> list[Loss]:
    """Return what each model loses on each scanner that it has not seen.

    Of models of one scanner if any exist, else of all. Of several models of one scanner alone
    (other seeds, say) the mean F1 is the native one.
    """
    single = [row for row in matrix.rows if len(row.train_on) == 1]
    return [
        Loss(
            row.name,
            row.train_on,
            scanner,
            row.seen.value - cell.f1.value,
            _native_f1(single, scanner) - cell.f1.value,
        )
        for row in single or matrix.rows
        for scanner, cell in row.cells.items()
        if not cell.seen
    ]


def _native_f1(single: Sequence[ModelRow], scanner: str) -> float:
    """Mean F1 on a scanner of the models trained on it alone; NaN without one."""
    native = [
        row.cells[scanner].f1.value
        for row in single
        if scanner in row.cells and scanner in row.train_on
    ]
    return float(np.mean(native)) if native else math.nan


def _draw(parts: Mapping[str, Tested], resamples: int, seed: int) -> dict[str, Values]:
    """(B, 3) tp, fp, fn of each scanner in each resample, NaN where it has one patient alone."""
    samples = {}
    for group in _sharing(parts):
        patients = [patient for scanner in group for patient in parts[scanner].patients]
        ends = np.cumsum([len(parts[scanner].counts) for scanner in group])[:-1]
        drawn: dict[str, list[IntArray]] = {scanner: [] for scanner in group}
        for weights in weights_in_parts(patients, resamples, seed_of_names(seed, group)):
            for scanner, mine in zip(group, np.split(weights, ends, axis=1), strict=True):
                drawn[scanner].append(mine @ count_table(parts[scanner].counts))
        for scanner in group:
            samples[scanner] = np.concatenate(drawn[scanner]).astype(np.float64)
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
            len(part.counts),
            pooled[scanner],
            interval(pooled[scanner].f1, _f1_of(samples[scanner])),
        )
        for scanner, part in parts.items()
    }
    nothing = np.zeros((len(next(iter(samples.values()), ())), 3))
    sides = []
    for seen in (True, False):
        mine = [scanner for scanner, cell in cells.items() if cell.seen is seen]
        value = sum((pooled[scanner] for scanner in mine), Counts()).f1
        sides.append((value, _f1_of(sum((samples[scanner] for scanner in mine), nothing))))
    (seen_value, seen_drawn), (unseen_value, unseen_drawn) = sides
    defined = [scanner for scanner, cell in cells.items() if not math.isnan(cell.f1.value)]
    ranked = sorted(defined, key=lambda scanner: cells[scanner].f1.value)
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


def _f1_of(drawn: Values) -> Values:
    """(B,) of (B, 3) tp, fp, fn; NaN where the denominator is zero."""
    return f1(*drawn.T)
