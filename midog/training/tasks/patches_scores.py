"""How a classifier of patches is validated: its threshold is chosen on val, and scored there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FloatArray, IntArray
from midog.inference.patch_classifier import probabilities_of
from midog.metrics.points import Values
from midog.metrics.two_classes import (
    average_precision_of_ranking,
    best_balanced_threshold,
    decide,
    rank_scores,
    roc_auc,
)
from midog.training.tasks.task import Validation

SCORE_NAMES = {"auc": "AUC", "ap": "AP", "balanced_accuracy": "balanced accuracy"}
"""By the value of task.score, as state.json and the terminal write it."""


def validate_patches(
    logits: FloatArray,
    labels: IntArray,
    score: str,
    pictures: Sequence[NDArray[np.uint8]] = (),
) -> Validation:
    """Choose the threshold of highest balanced accuracy on val, and score with it.

    Args:
        logits: (N,) float32, log odds of label 1.
        labels: (N,) int64, 0 or 1, both of them.
        score: Which of SCORE_NAMES decides which model is kept.
        pictures: For TensorBoard.

    Returns:
        NaN scores where a logit is not finite. The scores at the threshold flatter a little, as it
        is chosen on the same patches; AUC and AP do not depend on it.
    """
    scalars = _scalars(logits, labels == 1)
    line = (
        f"AUC {scalars['val/auc']:.3f}  AP {scalars['val/ap']:.3f}  balanced"
        f" {scalars['val/balanced_accuracy']:.3f} at {scalars['val/threshold']:.3f}"
    )
    return Validation(scalars[f"val/{score}"], SCORE_NAMES[score], scalars, line, pictures=pictures)


def _scalars(logits: FloatArray, positive: NDArray[np.bool_]) -> dict[str, float]:
    names = ("auc", "ap", "balanced_accuracy", "sensitivity", "specificity", "accuracy", "loss")
    if not np.isfinite(logits).all():
        return {**{f"val/{name}": math.nan for name in names}, "val/threshold": 0.5}
    scores: Values = probabilities_of(logits)
    # by the log odds, which tell scores apart that are 1 once they are rounded
    ranking = rank_scores(logits, positive)
    threshold = best_balanced_threshold(scores, positive)
    counts = decide(scores, positive, threshold)
    sensitivity = float(counts.tp[0] / positive.sum())
    specificity = float(counts.tn[0] / (~positive).sum())
    signed = np.where(positive, -1, 1) * logits.astype(np.float64)
    return {
        "val/auc": float(roc_auc(ranking)[0]),
        "val/ap": float(average_precision_of_ranking(ranking)[0]),
        "val/balanced_accuracy": (sensitivity + specificity) / 2,
        "val/sensitivity": sensitivity,
        "val/specificity": specificity,
        "val/accuracy": float((counts.tp[0] + counts.tn[0]) / len(positive)),
        "val/loss": float(np.logaddexp(0, signed).mean()),
        "val/threshold": threshold,
    }
