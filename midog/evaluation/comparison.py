"""Whether model A beats model B: the differences of their scores on the same ROIs, with intervals
and p over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from midog._version import __version__
from midog.data.roi import Roi
from midog.evaluation.groups import keys_of, make_groups, parse_by
from midog.evaluation.measures import compared
from midog.evaluation.points import score_rois
from midog.evaluation.result import GroupScores
from midog.evaluation.scoring import LEVEL, RESAMPLES, check_resamples, matched_rois, summarise
from midog.evaluation.written_scores import written_scores
from midog.json_text import plain
from midog.metrics.bootstrap import difference, weights_in_parts
from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.permutation import p_value, swaps_in_parts
from midog.metrics.points import Values
from midog.mpp import MppLike

COMPARISON_SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""


@dataclass(frozen=True)
class PairedDifference:
    """Score of A less that of B; NaN where it is not known.

    Attributes:
        value: The difference.
        low: Of its interval by the paired bootstrap over patients.
        high: Likewise.
        p: Two-sided, by swapping A and B for each patient, see `midog.metrics.permutation`.
        p_bootstrap: By the share of the bootstrap's draws on either side of 0, see
            `midog.metrics.bootstrap.difference`; far too small where patients are few.
    """

    value: float
    low: float
    high: float
    p: float
    p_bootstrap: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of A and of B by group, and A - B of each measure that models are compared by.

    p is of one difference; of many, some are small by chance. With P patients it is at least
    2 / 2^P.

    Attributes:
        a: Scores of A, by group.
        b: Scores of B, by group.
        differences: By group and measure.
        level: Of the intervals.
        resamples: Of the bootstrap, and of the swaps where they are too many to try all.
        seed: Of both.
    """

    a: Mapping[str, GroupScores]
    b: Mapping[str, GroupScores]
    differences: Mapping[str, Mapping[str, PairedDifference]]
    level: float
    resamples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/comparison.schema.json describes each key."""
        return {
            "schema_version": COMPARISON_SCHEMA_VERSION,
            "midog": __version__,
            "bootstrap": {
                "unit": "patient",
                "level": self.level,
                "resamples": self.resamples,
                "seed": self.seed,
            },
            "permutation": {"unit": "patient", "most_swaps": self.resamples, "seed": self.seed},
            "patients": {name: self.a[name].patients for name in self.differences},
            "groups": {
                name: {key: self._row(name, key) for key in of_group}
                for name, of_group in self.differences.items()
            },
        }

    def _row(self, group: str, key: str) -> dict[str, Any]:
        difference = self.differences[group][key]
        row: dict[str, Any] = plain(
            {
                "a": self.a[group].values[key],
                "b": self.b[group].values[key],
                "difference": difference.value,
                "interval": [difference.low, difference.high],
                "p": difference.p,
                "p_bootstrap": difference.p_bootstrap,
            }
        )
        return row


def compare(
    detections_a: Path | str,
    detections_b: Path | str,
    rois: Sequence[Roi],
    *,
    by: str | Sequence[str] = "scanner",
    threshold: float | None = None,
    mpp: MppLike | None = None,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two folders of detections of the same ROIs.

    Each resample draws the same patients for both, and each swap is of a patient's results of both,
    so that what makes a patient hard for both cancels out.

    Args:
        detections_a: Folder of A.
        detections_b: Folder of B.
        rois: The ROIs to score.
        by: As of `evaluate`, as are `threshold`, `mpp`, `allow_missing` and `seed`.
        resamples: Of the bootstrap, >= 1; the most swaps.

    Raises:
        DetectionsError: As of `evaluate`.
    """
    check_resamples(
        resamples, least=1, few="a comparison needs at least one, and 1,000 to be worth reading"
    )
    columns = parse_by(by)
    keys = keys_of(rois, columns)
    scored_a, scored_b = (
        score_rois(folder, rois, threshold=threshold, mpp=mpp, allow_missing=allow_missing)
        for folder in (detections_a, detections_b)
    )
    matched = matched_rois([*scored_a, *scored_b])
    a, b = (
        summarise(
            scored,
            keys,
            columns,
            threshold=threshold,
            written=written_scores(folder, scored, threshold),
            resamples=0,
        ).groups
        for folder, scored in ((detections_a, scored_a), (detections_b, scored_b))
    )
    differences = {}
    for group in make_groups(keys, columns):
        in_turn = [number + side * len(rois) for number in group.members for side in (0, 1)]
        patients = [rois[number].patient_or_name for number in group.members]
        pair = a[group.name], b[group.name]
        differences[group.name] = _differences(
            pair, matched.select(in_turn), patients, resamples, seed
        )
    return Comparison(a, b, differences, LEVEL, resamples, seed)


def _differences(
    groups: tuple[GroupScores, GroupScores],
    matched: MatchedRois,
    patients: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, PairedDifference]:
    """Of each measure that is compared, for one group. groups: of A and of B. matched: A's ROI 1,
    B's ROI 1, A's ROI 2, …"""
    result = {}
    drawn = _drawn_scores(matched, patients, resamples, seed)
    swapped = _swapped_scores(matched, patients, resamples, seed)
    for measure in compared():
        a, b = (group.values[measure.key] for group in groups)
        gain = difference(a, b, *drawn[measure.key], LEVEL)
        p = p_value(*swapped[measure.key])
        result[measure.key] = PairedDifference(gain.value, gain.low, gain.high, p, gain.p)
    return result


Sides = tuple[list[Values], list[Values]]


def _drawn_scores(
    matched: MatchedRois, patients: Sequence[str], resamples: int, seed: int
) -> dict[str, tuple[Values, Values]]:
    """By measure, the scores of A (B,) and of B (B,) in resamples of the same patients."""
    places = np.arange(0, 2 * len(patients), 2)
    sides = [matched.select(places + side) for side in (0, 1)]
    samples: dict[str, Sides] = {measure.key: ([], []) for measure in compared()}
    for weights in weights_in_parts(patients, resamples, seed):
        for number, rois in enumerate(sides):
            drawn = Resamples(rois, weights)
            for measure in compared():
                samples[measure.key][number].append(measure.resample(drawn))
    return _joined(samples)


def _swapped_scores(
    matched: MatchedRois, patients: Sequence[str], resamples: int, seed: int
) -> dict[str, tuple[Values, Values]]:
    """By measure, the scores of the first sides (S,) and of the others (S,), see
    `swap_weights`."""
    samples: dict[str, Sides] = {measure.key: ([], []) for measure in compared()}
    for kept in swaps_in_parts(patients, resamples, seed):
        swapped = Resamples(matched, np.concatenate([kept, 1 - kept]))
        for measure in compared():
            sides = np.split(measure.resample(swapped), 2)
            for side, values in zip(samples[measure.key], sides, strict=True):
                side.append(values)
    return _joined(samples)


def _joined(samples: Mapping[str, Sides]) -> dict[str, tuple[Values, Values]]:
    return {key: (np.concatenate(a), np.concatenate(b)) for key, (a, b) in samples.items()}
