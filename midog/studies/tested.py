"""A detector of a study as it was scored, and the thresholds at which its detections count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from midog.metrics.scored_rois import ScoredArrays, joined
from midog.metrics.thresholds import best_threshold
from midog.studies.study_settings import VAL


@dataclass(frozen=True, eq=False)
class TestedDetector:
    """A detector of a study and what it was scored on so far.

    Attributes:
        row: Name of its row.
        design: Name of its design.
        part: Name of its part of the design.
        seeds: Of its trainings.
        train_on: Its scanners.
        retuned: Its own threshold is chosen on val, as it is none of its models' own.
        tests: Arrays by the name of the test set.
    """

    __test__ = False

    row: str
    design: str
    part: str
    seeds: tuple[int, ...]
    train_on: tuple[str, ...]
    retuned: bool
    tests: Mapping[str, ScoredArrays]

    @cached_property
    def own_threshold(self) -> float:
        """The one stored with its model, or chosen on val; NaN where val is not scored yet."""
        if not self.retuned:
            return next(iter(self.tests.values())).threshold if self.tests else math.nan
        if VAL not in self.tests:
            return math.nan
        return best_threshold(of_scanners(self.tests[VAL], self.train_on).at(0).sweep)


def transferred_threshold(detector: TestedDetector, detectors: Sequence[TestedDetector]) -> float:
    """Choose a threshold on scanners that the models which score them were not trained on.

    These models are the row's of the same seeds that were trained on the most of the detector's own
    scanners, but not on all. NaN where they, scored on val, do not leave out each of its scanners
    that is in val.

    Args:
        detector: The detector whose threshold is chosen.
        detectors: All of the study.
    """
    own = set(detector.train_on)
    fewer = [
        one
        for one in detectors
        if (one.row, one.seeds) == (detector.row, detector.seeds)
        and set(one.train_on) < own
        and VAL in one.tests
    ]
    if not fewer or VAL not in detector.tests:
        return math.nan
    most = max(len(one.train_on) for one in fewer)
    chosen = [one for one in fewer if len(one.train_on) == most]
    parts = [of_scanners(one.tests[VAL], own - set(one.train_on)) for one in chosen]
    parts = [part for part in parts if part.names]
    covered = {scanner for part in parts for scanner in part.scanners}
    if not parts or covered != own & set(_all_scanners(chosen)):
        return math.nan
    return best_threshold(joined(parts).at(0).sweep)


def of_scanners(scored: ScoredArrays, scanners: Sequence[str] | set[str]) -> ScoredArrays:
    """The ROIs of some scanners."""
    numbers = [number for number, name in enumerate(scored.scanners) if name in scanners]
    return scored.select(numbers)


def _all_scanners(detectors: Sequence[TestedDetector]) -> Iterator[str]:
    """Scanners that are in val, by what any of these was scored on."""
    for one in detectors:
        yield from one.tests[VAL].scanners
