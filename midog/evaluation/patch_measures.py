"""PATCH_MEASURES: every score of a classifier of patches, with its words wherever it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.calibration import resample_ece
from midog.metrics.counts import ratios
from midog.metrics.points import Values
from midog.metrics.two_classes import (
    Decisions,
    Ranking,
    average_precision_of_ranking,
    decide,
    rank_scores,
    roc_auc,
)


@dataclass(frozen=True, eq=False)
class Scored:
    """N patches with their scores, sorted once.

    scores: (N,) float64 in [0, 1], the probability of the second class. positive: (N,) bool, they
    are of it. threshold: the least probability at which a patch is taken for one. ranking: of the
    scores.
    """

    scores: Values
    positive: NDArray[np.bool_]
    threshold: float
    ranking: Ranking

    def drawn(self, weights: IntArray | None = None) -> Drawn:
        """Return some resamples; weights: (B, N) int64, None: the patches as they are."""
        if weights is None:
            weights = np.ones((1, len(self.scores)), np.int64)
        return Drawn(self, weights, decide(self.scores, self.positive, self.threshold, weights))


@dataclass(frozen=True, eq=False)
class Drawn:
    """B resamples of patches: how often each stands in each, and their counts."""

    scored: Scored
    weights: IntArray
    counts: Decisions


@dataclass(frozen=True)
class PatchMeasure:
    """A score.

    Args:
        key: Its name in JSON.
        header: Its name in tables.
        value: Of each of B resamples, (B,) float64, NaN where it is undefined.
        description: For the schema and the page.
        at_threshold: It depends on the threshold.
    """

    key: str
    header: str
    value: Callable[[Drawn], Values]
    description: str
    at_threshold: bool = True


def scored(scores: Values, positive: NDArray[np.bool_], threshold: float) -> Scored:
    """Return patches sorted for any number of resamples; arguments as of Scored."""
    return Scored(scores, positive, threshold, rank_scores(scores, positive))


def _sensitivity(drawn: Drawn) -> Values:
    return ratios(drawn.counts.tp, drawn.counts.tp + drawn.counts.fn)


def _specificity(drawn: Drawn) -> Values:
    return ratios(drawn.counts.tn, drawn.counts.tn + drawn.counts.fp)


def _accuracy(drawn: Drawn) -> Values:
    return ratios(drawn.counts.tp + drawn.counts.tn, drawn.weights.sum(axis=1))


def _precision(drawn: Drawn) -> Values:
    return ratios(drawn.counts.tp, drawn.counts.tp + drawn.counts.fp)


def _ece(drawn: Drawn) -> Values:
    own = drawn.scored
    return resample_ece(own.scores, own.positive, np.arange(len(own.scores)), drawn.weights)


_ALL = (
    PatchMeasure(
        "auc",
        "AUC",
        lambda drawn: roc_auc(drawn.scored.ranking, drawn.weights),
        "Area under the ROC: share of pairs of a patch of each class that the scores rank rightly,"
        " ties count half.",
        at_threshold=False,
    ),
    PatchMeasure(
        "ap",
        "AP",
        lambda drawn: average_precision_of_ranking(drawn.scored.ranking, drawn.weights),
        "Average precision, without interpolation; chance is the share of positives.",
        at_threshold=False,
    ),
    PatchMeasure(
        "balanced_accuracy",
        "balanced",
        lambda drawn: (_sensitivity(drawn) + _specificity(drawn)) / 2,
        "Mean of sensitivity and specificity; chance is 0.5.",
    ),
    PatchMeasure(
        "accuracy", "accuracy", _accuracy, "Share of patches that are classified rightly."
    ),
    PatchMeasure(
        "sensitivity",
        "sensitivity",
        _sensitivity,
        "Share of positives that are taken for positive: recall.",
    ),
    PatchMeasure(
        "specificity",
        "specificity",
        _specificity,
        "Share of negatives that are taken for negative.",
    ),
    PatchMeasure(
        "precision",
        "precision",
        _precision,
        "Share of positives among patches that are taken for positive; it depends on how many"
        " positives there are.",
    ),
    PatchMeasure(
        "ece",
        "ECE",
        _ece,
        "Expected calibration error: mean over patches of the distance between mean score and share"
        " of positives in their tenth of the scores (Guo et al. 2017).",
        at_threshold=False,
    ),
)

PATCH_MEASURES: dict[str, PatchMeasure] = {measure.key: measure for measure in _ALL}
"""All of them by key, in the order of the JSON, the tables and the page; each is in [0, 1]."""
