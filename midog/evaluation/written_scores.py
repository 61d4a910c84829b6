"""Which scores a folder of detections holds: whether other thresholds than its own can be tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from midog.evaluation.points import ScoredRoi
from midog.inference.output_folder import read_settings
from midog.json_text import is_number
from midog.metrics.points import Values


@dataclass(frozen=True)
class WrittenScores:
    """What is known of the scores of some detections.

    Attributes:
        floor: The lowest score that the detector wrote: as its folder states it, else the lowest
            that is there; NaN where nothing is. Of what scores less nothing is known.
        lack: Why the scores say nothing of other thresholds than the detections' own: a clause;
            "" where they do.
    """

    floor: float
    lack: str = ""

    def to_dict(self) -> dict[str, Any]:
        """By name."""
        return {"floor": self.floor, "lack": self.lack or None}


def written_scores(
    detections: Path | str, scored: Sequence[ScoredRoi], threshold: float | None
) -> WrittenScores:
    """Tell which scores a folder of detections holds.

    Other thresholds cannot be tried where points have no probability, where nothing below the own
    threshold is written, and where names do not follow one threshold.

    Args:
        detections: The folder, or the file of all.
        scored: Its ROIs.
        threshold: From which points count; None: those named 'mitotic figure' do.
    """
    counted = _joined([roi.points.scores[roi.counted] for roi in scored])
    others = _joined([roi.points.scores[~roi.counted] for roi in scored])
    stated = read_settings(Path(detections)) or {}
    lowest = min((*counted, *others), default=math.nan)
    floor = _number(stated.get("floor"), lowest)
    own = threshold if threshold is not None else _number(stated.get("threshold"), math.nan)
    without = sum(roi.without_probability for roi in scored)
    if without:
        return WrittenScores(math.nan, f"{without} points have no probability")
    if len(counted) and len(others) and others.max() > counted.min():
        above = int((others > counted.min()).sum())
        what = f"{above} points that do not count score higher than others that do"
        return WrittenScores(floor, f"{what}, so no one threshold decides")
    if "floor" in stated and floor < own:
        return WrittenScores(floor)
    if not len(others):
        what = "no point below the threshold is written" if len(counted) else "no point is written"
        return WrittenScores(floor, what)
    return WrittenScores(floor)


def _joined(parts: Sequence[Values]) -> Values:
    return np.concatenate([np.zeros(0), *parts])


def _number(value: Any, other: float) -> float:
    """A number of a record that anything may have written; else the other."""
    return float(value) if is_number(value) else other
