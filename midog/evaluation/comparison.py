"""Does model A beat model B? The differences of their scores on the same ROIs, with intervals and p
over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from midog import __version__
from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.groups import keys_of, make_groups, parse_by
from midog.evaluation.points import ScoredRoi, score_rois
from midog.evaluation.result import MEASURES, GroupScores
from midog.evaluation.scoring import LEVEL, RESAMPLES, patient_of, summarise
from midog.files import plain
from midog.metrics.bootstrap import difference, draw_weights, resample_hits
from midog.metrics.permutation import p_value, swap_weights
from midog.metrics.pooled_matches import Hits

COMPARISON_SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""


@dataclass(frozen=True)
class PairedDifference:
    """Figure of A less that of B; NaN: not known.

    low, high: of the paired bootstrap over patients. p: two-sided, by swapping A and B for each
    patient, see `midog.metrics.permutation`. p_bootstrap: by the share of the bootstrap's draws on
    either side of 0, see `midog.metrics.bootstrap.difference`; far too small where patients are
    few.
    """

    value: float
    low: float
    high: float
    p: float
    p_bootstrap: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of A and of B by group, and A - B of each of MEASURES with its interval and two-sided
    p.

    p is of one difference; where many are looked at, some are small by chance. With P patients it
    is at least 2 / 2^P.
    level: of the intervals. resamples, seed: of the bootstrap, and of the swaps where they are too
    many to try all.
    """

    a: Mapping[str, GroupScores]
    b: Mapping[str, GroupScores]
    differences: Mapping[str, Mapping[str, PairedDifference]]
    level: float
    resamples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/comparison.schema.json says what each is."""
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
                name: {measure: self._row(name, measure) for measure in theirs}
                for name, theirs in self.differences.items()
            },
        }

    def _row(self, group: str, measure: str) -> dict[str, Any]:
        each = self.differences[group][measure]
        return {
            "a": plain(self.a[group].value(measure)),
            "b": plain(self.b[group].value(measure)),
            "difference": plain(each.value),
            "interval": [plain(each.low), plain(each.high)],
            "p": plain(each.p),
            "p_bootstrap": plain(each.p_bootstrap),
        }


def compare(
    detections_a: Path | str,
    detections_b: Path | str,
    rois: Sequence[Roi],
    *,
    by: str | Sequence[str] = "scanner",
    threshold: float | None = None,
    mpp: float | None = None,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two folders of detections of the same ROIs; arguments and errors as of `evaluate`.

    Each resample draws the same patients for both, and each swap is of a patient's results of both,
    so that what makes a patient hard for both cancels out.
    """
    if resamples < 1:
        raise DetectionsError(
            f"{resamples} resamples",
            "a comparison needs at least one, and 1,000 to be worth reading",
        )
    columns = parse_by(by)
    keys = keys_of(rois, columns)
    both = [
        score_rois(folder, rois, threshold=threshold, mpp=mpp, allow_missing=allow_missing)
        for folder in (detections_a, detections_b)
    ]
    hits = Hits.of([each.points for each in (*both[0], *both[1])])
    a, b = (
        summarise(each, keys, columns, threshold=threshold, resamples=0).groups for each in both
    )
    differences = {
        group.name: _differences(
            (a[group.name], b[group.name]),
            [[each[i] for i in group.members] for each in both],
            hits.select([i + side * len(rois) for i in group.members for side in (0, 1)]),
            resamples,
            seed,
        )
        for group in make_groups(keys, columns)
    }
    return Comparison(a, b, differences, LEVEL, resamples, seed)


def _differences(
    groups: tuple[GroupScores, GroupScores],
    scored: Sequence[Sequence[ScoredRoi]],
    hits: Hits,
    resamples: int,
    seed: int,
) -> dict[str, PairedDifference]:
    """Of each of MEASURES, for one group. groups, scored: of A and of B. hits: A's ROI 1, B's ROI
    1, A's ROI 2, …"""
    patients = [patient_of(each.roi) for each in scored[0]]
    weights = draw_weights(patients, resamples, seed)
    counts_a, counts_b = ([each.counts for each in theirs] for theirs in scored)
    places = np.arange(0, 2 * len(patients), 2)
    drawn_a = resample_hits(counts_a, hits.select(places), weights)
    drawn_b = resample_hits(counts_b, hits.select(places + 1), weights)
    kept = swap_weights(patients, resamples, seed)
    in_pairs = [each for pair in zip(counts_a, counts_b, strict=True) for each in pair]
    swapped = resample_hits(
        in_pairs, hits, np.concatenate([kept, 1 - kept])
    )  # the first sides, then the others
    result = {}
    for measure in MEASURES:
        a, b = (group.value(measure) for group in groups)
        drawn = difference(a, b, getattr(drawn_a, measure), getattr(drawn_b, measure), LEVEL)
        p = p_value(*np.split(getattr(swapped, measure), 2))
        result[measure] = PairedDifference(drawn.value, drawn.low, drawn.high, p, drawn.p)
    return result
