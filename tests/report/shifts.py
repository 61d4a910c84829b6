"""Builds small domain-shift results by hand, for tests of their page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from midog.metrics.counts import Counts
from midog.metrics.rank_correlation import rank_correlation
from midog.metrics.scanner_draws import Tested
from midog.metrics.scanner_matrix import build_matrix, losses
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.images import IMAGE_DISTANCES, image_stats
from midog.shift.result import Confounder, Pair, ShiftResult

NAMES = (
    "Hamamatsu XR",
    "Hamamatsu S360",
    "Aperio CS2",
    "Leica GT450",
    "3D Histech",
    "Philips SG300",
    "Roche DP200",
)
DISTANCES = (*IMAGE_DISTANCES, *FEATURE_DISTANCES)


def part_of(tp: int, fp: int, fn: int, patients: int = 4) -> Tested:
    """A test part whose patients all have these counts, but for one false alarm more or less."""
    return Tested(
        [Counts(tp, fp + at % 2, fn) for at in range(patients)],
        [f"patient {at}" for at in range(patients)],
    )


def build_shift(
    scanners: Sequence[str] = NAMES[:3],
    *,
    single: bool = True,
    leave_one_out: bool = True,
    patients: int = 4,
    unlabelled: Sequence[str] = ("Leica GT450",),
    confounders: Sequence[Confounder] = (),
    same_test: bool = True,
) -> ShiftResult:
    """A result of models of one scanner, and without each: F1 about 0.8 on what they have seen, 0.4
    on the rest."""
    plans = [((name,), f"only_{at}") for at, name in enumerate(scanners)] if single else []
    if leave_one_out:
        rest = [tuple(other for other in scanners if other != name) for name in scanners]
        plans += [(others, f"without_{at}") for at, others in enumerate(rest)]
    models = [
        (
            run,
            train_on,
            {
                name: part_of(8, 2 + at, 2, patients)
                if name in train_on
                else part_of(4, 4 + at, 6, patients)
                for at, name in enumerate(scanners)
            },
        )
        for train_on, run in plans
    ]
    return result_of(models, (*scanners, *unlabelled), unlabelled, tuple(confounders), same_test)


def result_of(
    models: Sequence[tuple[str, tuple[str, ...], dict[str, Tested]]],
    shown: Sequence[str],
    unlabelled: Sequence[str] = (),
    confounders: tuple[Confounder, ...] = (),
    same_test: bool = True,
) -> ShiftResult:
    """A result of these models, with invented pictures and distances of the scanners `shown`."""
    rng = np.random.default_rng(0)
    matrix = build_matrix(models, resamples=200)
    lost = tuple(losses(matrix))
    apart = tuple(
        dict(zip(DISTANCES, rng.uniform(0, 2, len(DISTANCES)).tolist(), strict=True)) for _ in lost
    )
    patches = {name: _patches(at, rng) for at, name in enumerate(shown)}
    pairs = [(a, b) for at, a in enumerate(shown) for b in shown[at + 1 :]]
    halves = np.random.default_rng(1)
    return ShiftResult(
        matrix=matrix,
        same_test=same_test,
        losses=lost,
        loss_distances=apart,
        correlations={
            name: {
                drop: rank_correlation(
                    [each[name] for each in apart], [getattr(loss, drop) for loss in lost]
                )
                for drop in ("from_own", "from_native")
            }
            for name in DISTANCES
        },
        images={name: image_stats(images) for name, images in patches.items()},
        pairs=tuple(
            Pair(a, b, dict(zip(DISTANCES, rng.uniform(0, 2, 7).tolist(), strict=True)))
            for a, b in pairs
        ),
        within={
            name: dict(zip(DISTANCES, halves.uniform(0, 1, 7).tolist(), strict=True))
            for name in shown
        },
        feature_model=models[-1][0],
        projection={name: rng.normal(at, 1, (12, 2)) for at, name in enumerate(shown)},
        samples=patches,
        unlabelled=tuple(unlabelled),
        confounders=confounders,
        patches="2 patches of 64 px at 0.25 um/px from each ROI, places of seed 0",
        level=0.95,
        resamples=200,
        seed=0,
    )


def without_losses() -> ShiftResult:
    """One model, tested on the scanner that it knows alone."""
    name = NAMES[0]
    return result_of([("only", (name,), {name: part_of(5, 1, 1)})], (name,))


def with_holes() -> ShiftResult:
    """NaN wherever there can be one: no figures on a scanner, one patient, no stains, a scanner not
    tested."""
    xr, s360, cs2 = NAMES[:3]
    empty = Tested([Counts(), Counts()], ["p", "q"])
    models = [
        ("a", (xr,), {xr: part_of(5, 1, 1, patients=1), s360: empty, cs2: part_of(1, 3, 3)}),
        ("b", (s360,), {xr: part_of(2, 2, 2, patients=1), s360: empty}),
    ]
    result = result_of(models, (xr, s360, cs2))
    white = np.full((2, 64, 64, 3), 255, np.uint8)
    nowhere = dict.fromkeys(DISTANCES, math.nan)
    return replace(
        result,
        images={**result.images, cs2: image_stats(white)},
        samples={**result.samples, cs2: white},
        pairs=(Pair(xr, s360, nowhere), *result.pairs[1:]),
        within={**result.within, cs2: nowhere},
        projection={**result.projection, cs2: np.zeros((0, 2))},
    )


def _patches(at: int, rng: np.random.Generator) -> np.ndarray:
    """Two patches (2, 64, 64, 3) of two colours with noise, other ones for each `at`."""
    nuclei, stroma = np.array([80 + 5 * at, 60, 120]), np.array([210, 140 + 5 * at, 180])
    mask = rng.random((2, 64, 64, 1)) < 0.3
    return np.clip(
        np.where(mask, nuclei, stroma) + rng.normal(0, 6, (2, 64, 64, 3)), 0, 255
    ).astype(np.uint8)
