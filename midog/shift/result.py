"""The result of a domain-shift report, as data and as plain JSON types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog._version import __version__
from midog.json_text import plain
from midog.metrics.bootstrap import Interval
from midog.metrics.rank_correlation import RankCorrelation
from midog.metrics.scanner_matrix import PUBLISHED_F1, PUBLISHED_SCANNERS, Loss, Matrix, ModelRow
from midog.shift.images import ImageStats

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Pair:
    """Two scanners, and their distances by the names of IMAGE_DISTANCES and FEATURE_DISTANCES."""

    a: str
    b: str
    distances: Mapping[str, float]


@dataclass(frozen=True)
class Confounder:
    """A column whose values are not the same mix for all scanners.

    Attributes:
        column: Its name.
        table: Number of ROIs, by scanner and value.
    """

    column: str
    table: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, eq=False)
class ShiftResult:
    """How far apart scanners are, and what that costs.

    Attributes:
        matrix: Every model on every scanner.
        same_test: All models were tested on the same ROIs.
        losses: Models on scanners that they have not seen.
        loss_distances: For each loss, the distances from the scanners that the model was trained on
            (mean over them) in images and in its own features.
        correlations: By distance, of that distance with `from_own` and with `from_native` over the
            losses.
        images: Statistics by scanner, the unlabelled ones too.
        pairs: All pairs of scanners.
        within: By scanner the baseline of each distance, that between halves of its own patients
            (mean over draws), NaN where they are too few.
        feature_model: The run whose features `pairs`, `within` and `projection` are of.
        projection: By scanner (P, 2) float64, a point for each patch.
        samples: By scanner some of the patches, (K, S, S, 3) uint8.
        unlabelled: Scanners without labels.
        confounders: Columns that go together with the scanner.
        patches: How the patches were cut, in words.
        level: Of the intervals.
        resamples: Of the bootstrap.
        seed: Of patches and bootstrap.
    """

    matrix: Matrix
    same_test: bool
    losses: tuple[Loss, ...]
    loss_distances: tuple[Mapping[str, float], ...]
    correlations: Mapping[str, Mapping[str, RankCorrelation]]
    images: Mapping[str, ImageStats]
    pairs: tuple[Pair, ...]
    within: Mapping[str, Mapping[str, float]]
    feature_model: str
    projection: Mapping[str, NDArray[np.float64]]
    samples: Mapping[str, NDArray[np.uint8]]
    unlabelled: tuple[str, ...]
    confounders: tuple[Confounder, ...]
    patches: str
    level: float
    resamples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; intervals are `{"value": …, "low": …, "high": …}`.
        Pictures are left out."""
        tree = {
            "schema_version": SCHEMA_VERSION,
            "midog": __version__,
            "bootstrap": {
                "unit": "patient",
                "level": self.level,
                "resamples": self.resamples,
                "seed": self.seed,
            },
            "models": [_row(row) for row in self.matrix.rows],
            "same_test": self.same_test,
            "on_diagonal": _interval(self.matrix.on_diagonal),
            "off_diagonal": _interval(self.matrix.off_diagonal),
            "gap": _interval(self.matrix.gap),
            "own_threshold_loss": _interval(self.matrix.own_threshold_loss),
            "other_threshold_loss": _interval(self.matrix.other_threshold_loss),
            "published": {
                "scanners": list(PUBLISHED_SCANNERS),
                "f1": [list(row) for row in PUBLISHED_F1],
            },
            "losses": [
                {**asdict(loss), "distances": dict(distances)}
                for loss, distances in zip(self.losses, self.loss_distances, strict=True)
            ],
            "correlations": {
                name: {drop: asdict(correlation) for drop, correlation in of_name.items()}
                for name, of_name in self.correlations.items()
            },
            "images": {scanner: stats.to_dict() for scanner, stats in self.images.items()},
            "pairs": [asdict(pair) for pair in self.pairs],
            "within": {scanner: dict(distances) for scanner, distances in self.within.items()},
            "feature_model": self.feature_model,
            "patches": self.patches,
            "unlabelled": list(self.unlabelled),
            "confounders": [asdict(confounder) for confounder in self.confounders],
        }
        values: dict[str, Any] = plain(tree)
        return values


def _row(row: ModelRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "train_on": list(row.train_on),
        "cells": {
            scanner: {
                "seen": cell.seen,
                "rois": cell.rois,
                **asdict(cell.counts),
                "f1": _interval(cell.f1),
                "oracle_f1": _interval(cell.oracle_f1),
                "threshold_loss": _interval(cell.threshold_loss),
                "ranking_loss": cell.ranking_loss,
                "oracle_threshold": cell.oracle_threshold,
                "at_floor": cell.at_floor,
            }
            for scanner, cell in row.cells.items()
        },
        "seen": _interval(row.seen),
        "unseen": _interval(row.unseen),
        "drop": _interval(row.drop),
        "best": row.best or None,
        "worst": row.worst or None,
    }


def _interval(interval: Interval) -> dict[str, float]:
    return asdict(interval)
