"""Measures domain shift: tests trained runs on every scanner, and measures how far apart the
scanners are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from midog.data.folder import select_rois
from midog.data.roi import Roi
from midog.data.several_folders import Folders
from midog.evaluation.scoring import LEVEL, RESAMPLES, check_resamples
from midog.metrics.rank_correlation import RankCorrelation, rank_correlation
from midog.metrics.scanner_matrix import Loss, Matrix, build_matrix, losses
from midog.shift.confounders import find_confounders
from midog.shift.distances import project
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.features import (
    Distances,
    MeasuredScanners,
    distances_between,
    distances_within,
    measure_scanners,
)
from midog.shift.images import IMAGE_DISTANCES
from midog.shift.result import Pair, ShiftResult
from midog.shift.tested_runs import (
    Identity,
    OnImage,
    OnStep,
    ReadRun,
    identities,
    read_runs,
    score_runs,
)

SAMPLES = 6
"""Patches of each scanner that the report shows."""


def domain_shift(
    runs: Sequence[Path | str],
    *,
    data: Folders | None = None,
    device: str = "auto",
    per_roi: int = 16,
    patch_px: int = 256,
    resamples: int = RESAMPLES,
    seed: int = 0,
    on_step: OnStep = lambda line: None,
    on_image: OnImage = lambda done, total: None,
) -> ShiftResult:
    """Measure how far apart the scanners are, and how much F1 that costs trained models.

    Args:
        runs: Folders of runs; links are followed and doubles dropped. Each is tested on the test
            ROIs of its own split, with its own threshold; its detections are kept in RUN/shift/ and
            not made again.
        data: Where the data folder is now, or several are, if it is not where the runs were
            trained from.
        device: Where to detect and to compute features.
        per_roi: Patches of each ROI of which the distances are measured. They come from ROIs that
            are test or unlabelled to one of the runs at least: a model may know by heart what it
            was trained on.
        patch_px: Their side, px.
        resamples: Of the 95 % bootstrap over patients.
        seed: Of the patches and the bootstrap.
        on_step: Called with a line as each step begins.
        on_image: Called with the number of test images done, and of all.

    Raises:
        CheckpointError: If none of `runs` is a run.
        WeightsError: If a run has no model.
        DataError: If the data are not those of the run.
        DetectionsError: If `resamples` is out of range.
    """
    check_resamples(resamples, least=0, few="give 0 (no intervals) or more")
    read = read_runs(runs, data)
    matrix = build_matrix(
        score_runs(read, device, on_step, on_image), resamples=resamples, seed=seed
    )
    on_step("measuring images and features")
    identity_of = identities(read)
    not_trained_on = {
        identity_of[roi]: roi
        for run in read
        for roi in run.rois
        if roi.split in ("test", "unlabelled")
    }
    measured = measure_scanners(
        list(not_trained_on.values()),
        {run.name: run.folder for run in _runs_of_features(read, matrix)},
        size_px=patch_px,
        per_roi=per_roi,
        seed=seed,
        device=device,
    )
    return _result(read, identity_of, matrix, measured, resamples, seed)


def _runs_of_features(read: Sequence[ReadRun], matrix: Matrix) -> list[ReadRun]:
    """The run that saw most scanners, then those of the losses."""
    reference = max(read, key=lambda run: len(run.train_on))
    names = {loss.model for loss in losses(matrix)}
    return [reference, *(run for run in read if run.name in names and run is not reference)]


def _result(
    read: Sequence[ReadRun],
    identity_of: Mapping[Roi, Identity],
    matrix: Matrix,
    measured: MeasuredScanners,
    resamples: int,
    seed: int,
) -> ShiftResult:
    lost = losses(matrix)
    distances = _loss_distances(lost, measured, seed)
    model, features = next(iter(measured.features.items()))
    scanners = list(itertools.combinations(measured.stats, 2))
    pairs = distances_between(measured, model, scanners, seed=seed)
    tests = [select_rois(run.rois, "test") for run in read]
    rois = {identity_of[roi]: roi for run in read for roi in run.rois}
    points = project(list(features.vectors.values()))
    return ShiftResult(
        matrix=matrix,
        same_test=len({frozenset(identity_of[roi] for roi in test) for test in tests}) == 1,
        losses=tuple(lost),
        loss_distances=tuple(distances),
        correlations=_correlations(lost, distances),
        images=measured.stats,
        pairs=tuple(Pair(a, b, apart) for (a, b), apart in pairs.items()),
        within=distances_within(measured, model, seed=seed),
        feature_model=model,
        projection=dict(zip(features.vectors, points, strict=True)),
        samples={
            part.scanner: part.images[_spread(len(part.images), SAMPLES)]
            for part in measured.patches
        },
        unlabelled=tuple(part.scanner for part in measured.patches if not part.labelled),
        confounders=tuple(find_confounders(list(rois.values()))),
        patches=measured.words,
        level=LEVEL,
        resamples=resamples,
        seed=seed,
    )


def _loss_distances(lost: Sequence[Loss], measured: MeasuredScanners, seed: int) -> list[Distances]:
    """Distances of each loss's scanner from those that the model was trained on, mean over these,
    in its own features."""
    pairs = {
        loss: [
            (scanner, loss.scanner)
            for scanner in loss.train_on
            if {scanner, loss.scanner} <= set(measured.stats)
        ]
        for loss in lost
    }
    of_model = {}
    for model in dict.fromkeys(loss.model for loss in lost):
        theirs = [pair for loss in lost if loss.model == model for pair in pairs[loss]]
        of_model[model] = distances_between(measured, model, theirs, seed=seed)
    return [_mean([of_model[loss.model][pair] for pair in pairs[loss]]) for loss in lost]


def _mean(distances: Sequence[Distances]) -> Distances:
    """By name; NaN of none."""
    return {
        name: float(np.mean([of_pair[name] for of_pair in distances])) if distances else math.nan
        for name in (*IMAGE_DISTANCES, *FEATURE_DISTANCES)
    }


def _correlations(
    lost: Sequence[Loss], distances: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, RankCorrelation]]:
    return {
        name: {
            drop: rank_correlation(
                [of_loss[name] for of_loss in distances], [getattr(loss, drop) for loss in lost]
            )
            for drop in ("from_own", "from_native")
        }
        for name in (*IMAGE_DISTANCES, *FEATURE_DISTANCES)
    }


def _spread(count: int, most: int) -> list[int]:
    """Places of at most that many items, evenly over `count`."""
    places = np.linspace(0, count - 1, min(count, most)).astype(int)
    return [int(place) for place in np.unique(places)]
