"""All thresholds at once against one call of the plain rule for each, on made-up points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from midog.bench.plan import Plan
from midog.bench.result import Compared, compare
from midog.bench.timing import take_turns
from midog.errors import MidogError
from midog.metrics.counts import Counts, counts_at
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


def sweep_stage(plan: Plan) -> Compared:
    """Counts at all thresholds: detections swept a second. MidogError where they differ from the
    plain rule's."""
    rois = max(1, plan.detections // PER_ROI)
    plan.say(f"sweep: {rois} ROIs of {PER_ROI} detections, {len(THRESHOLDS)} thresholds")
    points = made_up_rois(rois, PER_ROI, FIGURES, seed=0)
    scores = np.concatenate([roi.scores for roi in points])
    swept: list[Counts] = []
    plain: list[Counts] = []

    def ours() -> None:
        swept[:] = counts_from(sweep(points))

    def plainly() -> None:
        plain[:] = [counts_at(points, threshold) for threshold in THRESHOLDS]

    ours()  # once before, uncounted; the plain way takes too long for that to matter
    things = {"ours": ours, "plain": plainly, "sorting": lambda: np.sort(scores)}
    taken = take_turns(
        things, rounds=plan.rounds, device=torch.device("cpu"), warm_up=False, enough_s=30.0
    )
    check_equal(swept, plain)
    found = len(scores)
    return compare(
        f"counts at {len(THRESHOLDS)} thresholds in one pass, {rois} ROIs",
        f"{len(THRESHOLDS)} calls of the plain rule",
        "detections/s",
        found / taken["ours"],
        found / taken["plain"],
        limit=("sorting the scores alone", found / float(np.median(taken["sorting"]))),
        detail={
            "detections": found,
            **{f"{name}_s": float(np.median(taken[name])) for name in ("ours", "plain")},
        },
    )


def check_equal(swept: Sequence[Counts], plain: Sequence[Counts]) -> None:
    """MidogError that says at how many thresholds the counts differ, if they do."""
    differing = sum(a != b for a, b in zip(swept, plain, strict=True))
    if differing:
        raise MidogError(
            f"the sweep's counts are not the plain rule's at {differing} of {len(plain)} thresholds"
        )


def made_up_rois(rois: int, detections: int, figures: int, seed: int) -> list[RoiPoints]:
    """ROIs of 2 mm2 with the same numbers of points each: a third of them within some 4 um of a
    figure."""
    random = seeded("timed", seed)
    made = []
    for _ in range(rois):
        truth = random.uniform(0, SIDE_MM, (figures, 2))
        found = random.uniform(0, SIDE_MM, (detections, 2))
        if figures:
            near = random.random(detections) < 1 / 3
            found[near] = truth[random.integers(0, figures, near.sum())] + random.normal(
                0, 0.003, (near.sum(), 2)
            )
        made.append(RoiPoints(truth, found, random.random(detections)))
    return made


def counts_from(swept: Sweep, thresholds: NDArray[np.float64] = THRESHOLDS) -> list[Counts]:
    """The counts at each threshold, read off a sweep."""
    steps = np.searchsorted(-swept.thresholds, -thresholds, side="right")
    tp, fp = np.append(0, swept.tp)[steps].tolist(), np.append(0, swept.fp)[steps].tolist()
    return [Counts(hits, false, swept.figures - hits) for hits, false in zip(tp, fp, strict=True)]
