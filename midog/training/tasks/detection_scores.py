"""How a detector is scored in validation: whole ROIs, in millimetres, at the best threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from midog.metrics.average_precision import average_precision
from midog.metrics.counts import Counts, counts_at
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import Sweep, sweep
from midog.metrics.thresholds import best_threshold
from midog.training.tasks.task import PrecisionRecall, Validation

CURVE_POINTS = 127
"""Thresholds of TensorBoard's precision-recall curve."""


def score(
    points: Sequence[RoiPoints], scanners: Sequence[str], losses: Mapping[str, float]
) -> Validation:
    """Choose the threshold over all ROIs, and score all of them and those of every scanner at it.

    Args:
        points: True and detected figures of the ROIs, mm.
        scanners: Of the same ROIs; "" counts as unknown.
        losses: Of the validation patches, by name.

    Returns:
        The score is F1 over all ROIs, NaN where there is neither a figure nor a detection.
    """
    counts_by_threshold = sweep(points)
    threshold = best_threshold(counts_by_threshold)
    groups: dict[str, list[RoiPoints]] = {"": list(points)}
    for roi, scanner in zip(points, scanners, strict=True):
        groups.setdefault(f"/{scanner or 'unknown'}", []).append(roi)
    scalars = {f"val/{name}": value for name, value in losses.items()}
    scalars["val/threshold"] = threshold
    for tail, group in groups.items():
        counts = counts_at(group, threshold)
        scalars |= _named(counts, average_precision(group), tail)
    return Validation(
        score=scalars["val/f1"],
        score_name="F1",
        scalars=scalars,
        line=_line(scalars),
        curve=precision_recall(counts_by_threshold),
    )


def precision_recall(counts: Sweep) -> PrecisionRecall | None:
    """Return the curve at evenly spaced thresholds; None where nothing was detected."""
    if not len(counts.thresholds):
        return None
    order = np.argsort(counts.thresholds)
    at = np.searchsorted(counts.thresholds[order], np.linspace(0, 1, CURVE_POINTS))
    beyond = (0, 0, counts.figures)  # over the highest score
    columns = zip((counts.tp, counts.fp, counts.fn), beyond, strict=True)
    tp, fp, fn = (np.append(column[order], last)[at] for column, last in columns)
    precision = np.divide(tp, tp + fp, out=np.zeros(len(tp)), where=tp + fp > 0)
    recall = np.divide(tp, tp + fn, out=np.zeros(len(tp)), where=tp + fn > 0)
    return PrecisionRecall(tp, fp, fn, precision, recall)


def _named(counts: Counts, ap50: float, tail: str) -> dict[str, float]:
    return {
        f"val/f1{tail}": counts.f1,
        f"val/precision{tail}": counts.precision,
        f"val/recall{tail}": counts.recall,
        f"val/ap50{tail}": ap50,
    }


def _line(scalars: Mapping[str, float]) -> str:
    def shown(name: str) -> str:
        return "-" if math.isnan(scalars[name]) else f"{scalars[name]:.3f}"

    return (
        f"val loss {shown('val/loss')}  F1 {shown('val/f1')} at {scalars['val/threshold']:.2f}  "
        f"precision {shown('val/precision')}  recall {shown('val/recall')}  "
        f"AP {shown('val/ap50')}"
    )
