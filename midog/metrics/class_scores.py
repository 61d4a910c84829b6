"""The scores of the MIDOG 2025 evaluation of track 2, as it has them where a class is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midog.metrics.points import Values
from midog.metrics.two_classes import decide, rank_scores, roc_auc


def class_scores(scores: Values, positive: NDArray[np.bool_], threshold: float) -> dict[str, float]:
    """Return sensitivity, specificity, their mean, accuracy and AUC, with the evaluation's keys.

    They are those of scikit-learn as `evaluate.py` of
    github.com/DeepMicroscopy/MIDOG25_T2_evaluation_docker calls it: a rate of a class that is
    missing is 0, and AUC is NaN then.

    Args:
        scores: (N,) in [0, 1], the probability of atypical.
        positive: (N,) bool, they are atypical.
        threshold: The least score at which a crop is taken for atypical.
    """
    counts = decide(scores, positive, threshold)
    tp, fp, fn, tn = (int(own[0]) for own in (counts.tp, counts.fp, counts.fn, counts.tn))
    sensitivity, specificity = _rate(tp, tp + fn), _rate(tn, tn + fp)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "accuracy": _rate(tp + tn, len(scores)),
        "roc_auc": float(roc_auc(rank_scores(scores, positive))[0]),
    }


def class_aggregates(
    scores: Values,
    positive: NDArray[np.bool_],
    threshold: float,
    domains: Sequence[str] = (),
) -> dict[str, float | dict[str, float]]:
    """Return `aggregates` of the challenge's metrics.json.

    Over all crops the evaluation ends with an error where a class is missing; those rates are NaN
    here.

    Args:
        scores, positive, threshold: As of `class_scores`.
        domains: The tumour domain of each crop; none: they are not told.
    """
    whole = class_scores(scores, positive, threshold)
    if not positive.any():
        whole |= {"sensitivity": math.nan, "balanced_accuracy": math.nan}
    if positive.all():
        whole |= {"specificity": math.nan, "balanced_accuracy": math.nan}
    order = ("sensitivity", "specificity", "balanced_accuracy", "roc_auc", "accuracy")
    aggregates: dict[str, float | dict[str, float]] = {
        f"overall_{key}": whole[key] for key in order
    }
    own = np.array(domains)
    for domain in sorted(set(domains), key=_numbers_first):
        members = own == domain
        aggregates[f"domain_{domain}"] = class_scores(scores[members], positive[members], threshold)
    return aggregates


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _numbers_first(domain: str) -> tuple[bool, int, str]:
    return (not domain.isdecimal(), int(domain) if domain.isdecimal() else 0, domain)
