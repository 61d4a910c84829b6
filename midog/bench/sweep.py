"""Counts at all thresholds in one pass, on synthetic points."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from midog.bench.conditions import Conditions
from midog.bench.measured import Measured, measured
from midog.bench.timing import take_turns
from midog.metrics.counts import Counts
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import Sweep, sweep
from midog.random_streams import seeded

THRESHOLDS = 0.3 + np.arange(690) / 1000
"""From 0.3 to 0.989 in steps of 0.001."""
SIDE_MM = 1.4
"""Side of an ROI of 2 mm2."""
PER_ROI = 200
"""Detections of an ROI, above a low floor."""
FIGURES = 10
"""True figures of an ROI."""


def sweep_stage(conditions: Conditions) -> Measured:
    """Measure detections per second that are counted at all thresholds."""
    points = points_to_sweep(conditions)
    scores = np.concatenate([roi.scores for roi in points])
    taken = take_turns(
        {"sweep": lambda: counts_from(sweep(points)), "sorting": lambda: np.sort(scores)},
        rounds=conditions.rounds,
        device=torch.device("cpu"),
    )
    return measured(
        f"counts at {len(THRESHOLDS)} thresholds in one pass, {len(points)} ROIs",
        "detections/s",
        len(scores) / taken["sweep"],
        limit=("sorting the scores alone", len(scores) / float(np.median(taken["sorting"]))),
        detail={"detections": len(scores), "seconds": float(np.median(taken["sweep"]))},
    )


def points_to_sweep(conditions: Conditions) -> list[RoiPoints]:
    """Synthetic ROIs with about as many detections as asked for."""
    rois = max(1, conditions.detections // PER_ROI)
    conditions.say(f"sweep: {rois} ROIs of {PER_ROI} detections, {len(THRESHOLDS)} thresholds")
    return synthetic_rois(rois, PER_ROI, FIGURES, seed=0)


def synthetic_rois(rois: int, detections: int, figures: int, seed: int) -> list[RoiPoints]:
    """Draw ROIs of 2 mm2 with the same number of points each.

    A third of the detections is within some 4 um of a figure.
    """
    random = seeded("timed", seed)
    drawn = []
    for _ in range(rois):
        truth = random.uniform(0, SIDE_MM, (figures, 2))
        detected = random.uniform(0, SIDE_MM, (detections, 2))
        if figures:
            near = random.random(detections) < 1 / 3
            detected[near] = truth[random.integers(0, figures, near.sum())] + random.normal(
                0, 0.003, (near.sum(), 2)
            )
        drawn.append(RoiPoints(truth, detected, random.random(detections)))
    return drawn


def counts_from(swept: Sweep, thresholds: NDArray[np.float64] = THRESHOLDS) -> list[Counts]:
    """Read the counts at each threshold off a sweep."""
    steps = np.searchsorted(-swept.thresholds, -thresholds, side="right")
    tp, fp = np.append(0, swept.tp)[steps].tolist(), np.append(0, swept.fp)[steps].tolist()
    return [Counts(hits, false, swept.figures - hits) for hits, false in zip(tp, fp, strict=True)]
