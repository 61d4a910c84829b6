"""Counts at all thresholds at once against one call of the baseline rule for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.comparisons.compared import Compared, compare
from midog.bench.conditions import Conditions
from midog.bench.sweep import THRESHOLDS, counts_from, points_to_sweep
from midog.bench.timing import take_turns
from midog.errors import MidogError
from midog.metrics.counts import Counts, counts_at
from midog.metrics.sweep import sweep


def compare_sweep(conditions: Conditions) -> Compared:
    """Detections per second that are counted at all thresholds.

    Raises:
        MidogError: If the counts differ from the baseline's.
    """
    points = points_to_sweep(conditions)
    scores = np.concatenate([roi.scores for roi in points])
    swept: list[Counts] = []
    plain: list[Counts] = []

    def ours() -> None:
        swept[:] = counts_from(sweep(points))

    def baseline() -> None:
        plain[:] = [counts_at(points, threshold) for threshold in THRESHOLDS]

    ours()  # once before, uncounted; the baseline takes too long for that to matter
    taken = take_turns(
        {"ours": ours, "plain": baseline, "sorting": lambda: np.sort(scores)},
        rounds=conditions.rounds,
        device=torch.device("cpu"),
        warm_up=False,
        enough_s=30.0,
    )
    check_equal(swept, plain)
    count = len(scores)
    return compare(
        f"counts at {len(THRESHOLDS)} thresholds in one pass, {len(points)} ROIs",
        f"{len(THRESHOLDS)} calls of the plain rule",
        "detections/s",
        count / taken["ours"],
        count / taken["plain"],
        limit=("sorting the scores alone", count / float(np.median(taken["sorting"]))),
        detail={
            "detections": count,
            **{f"{name}_s": float(np.median(taken[name])) for name in ("ours", "plain")},
        },
    )


def check_equal(swept: Sequence[Counts], plain: Sequence[Counts]) -> None:
    """Check the sweep's counts against the baseline's.

    Raises:
        MidogError: If they differ; it states at how many thresholds.
    """
    differing = sum(a != b for a, b in zip(swept, plain, strict=True))
    if differing:
        raise MidogError(
            f"the sweep's counts are not the plain rule's at {differing} of {len(plain)} thresholds"
        )
