"""What a change of scanner costs: F1 of each model on each scanner, seen against unseen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from midog.metrics.bootstrap import Interval, interval
from midog.metrics.counts import Counts, f1
from midog.metrics.oracle import oracle_of_sweep
from midog.metrics.points import Values
from midog.metrics.scanner_draws import Drawn, Tested, draw_parts
from midog.metrics.sweep import sweep_matched

UNKNOWN = Interval(math.nan, math.nan, math.nan)

PUBLISHED_SCANNERS = ("Hamamatsu XR", "Aperio CS2", "Hamamatsu S360")
PUBLISHED_F1 = ((0.578, 0.138, 0.190), (0.390, 0.751, 0.433), (0.432, 0.574, 0.721))
"""F1 of models trained on the scanner of the row and tested on that of the column, MIDOG 2021
(Aubreville et al., 'Quantifying the Scanner-Induced Domain Gap in Mitosis Detection', MIDL 2021,
arXiv:2103.16515): other data and another detector, a reference and no baseline."""


@dataclass(frozen=True)
class Cell:
    """One model on one scanner.

    Attributes:
        seen: It was trained on that scanner.
        rois: Number of test ROIs.
        counts: Pooled over them.
        f1: NaN without figures and detections. At the model's own threshold: on a scanner that it
            has not seen, a transferred one.
        oracle_f1: F1 at the threshold that is best for these very ROIs: an upper bound, no result.
            NaN without figures, or where the detections do not hold other thresholds.
        threshold_loss: `oracle_f1` less `f1`: what the threshold costs; NaN likewise.
        oracle_threshold: That of `oracle_f1`.
        at_floor: See `Oracle`.
    """

    seen: bool
    rois: int
    counts: Counts
    f1: Interval
    oracle_f1: Interval = UNKNOWN
    threshold_loss: Interval = UNKNOWN
    oracle_threshold: float = math.nan
    at_floor: bool = False

    @property
    def ranking_loss(self) -> float:
        """1 less the oracle's F1: what no threshold can win back."""
        return 1 - self.oracle_f1.value


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
        own_threshold_loss: Mean threshold loss of the models of one scanner on their own scanner.
        other_threshold_loss: The same on the other scanners, where the threshold is transferred.
    """

    rows: tuple[ModelRow, ...]
    on_diagonal: Interval
    off_diagonal: Interval
    gap: Interval
    own_threshold_loss: Interval = UNKNOWN
    other_threshold_loss: Interval = UNKNOWN


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
    samples = [draw_parts(parts, resamples, seed) for _, _, parts in models]
    rows = tuple(_row(*model, drawn) for model, drawn in zip(models, samples, strict=True))
    single = [
        (row, drawn) for row, drawn in zip(rows, samples, strict=True) if len(row.train_on) == 1
    ]
    own, own_samples = _mean(single, "f1", seen=True, resamples=resamples)
    other, other_samples = _mean(single, "f1", seen=False, resamples=resamples)
    of_threshold = [
        interval(*_mean(single, "threshold_loss", seen=seen, resamples=resamples))
        for seen in (True, False)
    ]
    return Matrix(
        rows,
        interval(own, own_samples),
        interval(other, other_samples),
        interval(own - other, own_samples - other_samples),
        *of_threshold,
    )


def _mean(
    rows: Sequence[tuple[ModelRow, Mapping[str, Drawn]]],
    what: Literal["f1", "threshold_loss"],
    *,
    seen: bool,
    resamples: int,
) -> tuple[float, Values]:
    """Mean over the cells that are seen, or those that are not, and its resamples (B,)."""
    cells = [
        (getattr(cell, what).value, getattr(drawn[scanner], what))
        for row, drawn in rows
        for scanner, cell in row.cells.items()
        if cell.seen is seen and not math.isnan(getattr(cell, what).value)
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


def _row(
    name: str, train_on: tuple[str, ...], parts: Mapping[str, Tested], samples: Mapping[str, Drawn]
) -> ModelRow:
    cells = {
        scanner: _cell(scanner in train_on, part, samples[scanner])
        for scanner, part in parts.items()
    }
    nothing = np.zeros((len(next(iter(samples.values())).counts) if samples else 0, 3))
    sides = []
    for seen in (True, False):
        mine = [scanner for scanner, cell in cells.items() if cell.seen is seen]
        value = sum((cells[scanner].counts for scanner in mine), Counts()).f1
        drawn = sum((samples[scanner].counts for scanner in mine), nothing)
        sides.append((value, f1(*drawn.T)))
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


def _cell(seen: bool, part: Tested, drawn: Drawn) -> Cell:
    pooled = sum(part.counts, Counts())
    cell = Cell(seen, len(part.counts), pooled, interval(pooled.f1, drawn.f1))
    if part.matches is None:
        return cell
    oracle = oracle_of_sweep(
        sweep_matched(part.matches.scores, part.matches.by_radius, int(part.matches.figures.sum()))
    )
    return replace(
        cell,
        oracle_f1=interval(oracle.f1, drawn.oracle_f1),
        threshold_loss=interval(oracle.f1 - pooled.f1, drawn.threshold_loss),
        oracle_threshold=oracle.threshold,
        at_floor=oracle.at_floor,
    )
