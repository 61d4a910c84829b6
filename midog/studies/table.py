"""The table of a study: scores by row, design, test set and scanners seen or not, with the spread
over seeds and intervals over patients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midog.metrics.bootstrap import Interval, interval, weights_in_parts
from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.points import Values
from midog.metrics.scored_rois import ScoredArrays
from midog.random_streams import seed_of_names
from midog.studies.columns import COLUMNS, Column
from midog.studies.tested import TestedDetector, of_scanners, transferred_threshold

SEEN, UNSEEN = "seen", "unseen"
RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A score of a line.

    Attributes:
        value: Mean over parts and seeds.
        sd: Of the means of the seeds; NaN for one seed.
        low: Of the interval over patients; NaN where it is not known.
        high: Likewise.
        worst: The lowest (of errors the highest) over the scanners or parts, of their means over
            seeds.
    """

    value: float
    sd: float
    low: float
    high: float
    worst: float


@dataclass(frozen=True, eq=False)
class Line:
    """A line of the table.

    Attributes:
        row: Name of the row.
        design: Name of the design.
        part: Name of the part of the design whose detectors alone count; "": all of them.
        test: Name of the test set.
        scanners: "seen", "unseen", or one scanner, of which `seen` says which it is.
        seen: The detectors were trained on these scanners.
        done: Detectors that were scored.
        planned: Detectors in all.
        rois: ROIs of the test set, of all detectors together.
        figures: True figures in these.
        scores: By key of COLUMNS.
        gain: In each score over the first row of the design, with the interval of the paired
            difference; empty for the first row and where the two were not scored alike.
    """

    row: str
    design: str
    part: str
    test: str
    scanners: str
    seen: bool
    done: int
    planned: int
    rois: int
    figures: int
    scores: Mapping[str, Estimate]
    gain: Mapping[str, Interval]

    @property
    def is_summary(self) -> bool:
        """It is of all seen or all unseen scanners, and of all parts."""
        return not self.part and self.scanners in (SEEN, UNSEEN)


@dataclass(frozen=True, eq=False)
class _Group:
    """The ROIs of one detector and of one scanner, or of several as one."""

    seeds: tuple[int, ...]
    place: str
    at: Mapping[str, MatchedRois]
    patients: tuple[str, ...]
    names: tuple[str, ...]
    scanners: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Sampled:
    """The scores of a line and their resamples, (B,) by key of COLUMNS."""

    names: frozenset[tuple[str, tuple[str, ...]]]
    values: Mapping[str, float]
    samples: Mapping[str, Values]


def make_lines(
    detectors: Sequence[TestedDetector],
    tests: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Line]:
    """Make the lines of a table.

    Unseen scanners are those that a detector was not trained on. Over them F1 and the others are
    the mean over detectors and scanners, each by itself; over seen ones the ROIs of a detector are
    pooled, and the mean is over detectors. Each part of a design has lines of its own, one for each
    scanner: the matrix of detector by scanner. Draws of patients are the same for all rows.

    Args:
        detectors: All that the study plans, in the order of the rows.
        tests: Names of test sets, in order.
        resamples: Of the bootstrap over patients; 0: no intervals.
        seed: Of the draws.
    """
    transferred = {one: transferred_threshold(one, detectors) for one in detectors}
    first: dict[str, str] = {}
    bases: dict[tuple[str, str, str, str], _Sampled] = {}
    lines = []
    by_row = itertools.groupby(detectors, key=lambda one: (one.row, one.design))
    for (row, design), own in by_row:
        group = list(own)
        is_first = first.setdefault(design, row) == row  # whether it is scored yet or not
        parts = list(dict.fromkeys(one.part for one in group))
        for part, test in itertools.product(["", *parts], tests):
            those = [one for one in group if part in ("", one.part)]
            done = sum(test in one.tests for one in those)
            for scanners, seen, groups in _grouped(those, test, transferred):
                if part and scanners in (SEEN, UNSEEN):
                    continue
                sampled = _sample(groups, resamples, seed)
                base = bases.get((design, part, test, scanners))
                if is_first:
                    bases[design, part, test, scanners] = sampled
                gains = _gains(sampled, base) if base and base.names == sampled.names else {}
                rois, figures = _amounts(groups)
                lines.append(
                    Line(
                        row,
                        design,
                        part,
                        test,
                        scanners,
                        seen,
                        done,
                        len(those),
                        rois,
                        figures,
                        _estimates(groups, sampled),
                        gains,
                    )
                )
    return lines


def _grouped(
    detectors: Sequence[TestedDetector], test: str, transferred: Mapping[TestedDetector, float]
) -> Iterator[tuple[str, bool, list[_Group]]]:
    """The groups of each line of one test set: of all seen, of all unseen, and of each scanner."""
    tested = [one for one in detectors if test in one.tests]
    seen: list[_Group] = []
    apart: dict[tuple[bool, str], list[_Group]] = {}
    for one in tested:
        scored = one.tests[test]
        scanners = list(dict.fromkeys(scored.scanners))
        thresholds = {"own": one.own_threshold, "transferred": transferred[one]}
        own = [name for name in scanners if name in one.train_on]
        if own:
            seen.append(_group(one, of_scanners(scored, own), one.part, thresholds))
        for name in scanners:
            key = (name in one.train_on, name)
            group = _group(one, of_scanners(scored, [name]), name, thresholds)
            apart.setdefault(key, []).append(group)
    unseen = [group for (is_seen, _), groups in apart.items() if not is_seen for group in groups]
    if unseen:
        yield UNSEEN, False, unseen
    if seen:
        yield SEEN, True, seen
    for (is_seen, name), groups in sorted(apart.items()):
        yield name, is_seen, groups


def _group(
    detector: TestedDetector, scored: ScoredArrays, place: str, thresholds: Mapping[str, float]
) -> _Group:
    at = {
        name: scored.at(threshold)
        for name, threshold in thresholds.items()
        if not math.isnan(threshold)
    }
    scanners = tuple(dict.fromkeys(scored.scanners))
    return _Group(detector.seeds, place, at, scored.patients, scored.names, scanners)


def _sample(groups: Sequence[_Group], resamples: int, seed: int) -> _Sampled:
    """The means over the groups, and those of every resample."""
    values: dict[str, float] = {}
    samples: dict[str, Values] = {}
    for key, column in COLUMNS.items():
        own = [(group, _value(column, group)) for group in groups]
        defined = [(group, value) for group, value in own if not math.isnan(value)]
        values[key] = float(np.mean([value for _, value in defined])) if defined else math.nan
        drawn = [_resample(column, group, resamples, seed) for group, _ in defined]
        samples[key] = np.mean(drawn, axis=0) if drawn else np.full(resamples, math.nan)
    names = frozenset((group.place, group.names) for group in groups)
    return _Sampled(names, values, samples)


def _value(column: Column, group: _Group) -> float:
    rois = _rois(column, group)
    return math.nan if rois is None or not rois.counts else column.of.value(rois)


def _rois(column: Column, group: _Group) -> MatchedRois | None:
    """The ROIs that a score is of; None where its threshold is not known."""
    rois = group.at.get(column.at)
    return rois.figure_free if rois is not None and column.of.part == "figure-free" else rois


def _resample(column: Column, group: _Group, resamples: int, seed: int) -> Values:
    rois = _rois(column, group)
    assert rois is not None, column.key
    patients = group.patients
    if column.of.part == "figure-free":
        free = np.flatnonzero(group.at[column.at].matches.figures == 0).tolist()
        patients = tuple(patients[number] for number in free)
    # scanners by themselves, as the scanner matrix draws them: those of two share no patient
    drawn = [
        column.of.resample(Resamples(rois, weights))
        for weights in weights_in_parts(patients, resamples, seed_of_names(seed, group.scanners))
    ]
    return np.concatenate(drawn) if drawn else np.zeros(0)


def _estimates(groups: Sequence[_Group], sampled: _Sampled) -> dict[str, Estimate]:
    estimates = {}
    for key, column in COLUMNS.items():
        values = [(group, _value(column, group)) for group in groups]
        of_seeds = _means((group.seeds, value) for group, value in values)
        of_places = _means((group.place, value) for group, value in values)
        sd = float(np.std(list(of_seeds.values()), ddof=1)) if len(of_seeds) > 1 else math.nan
        limits = interval(sampled.values[key], sampled.samples[key], LEVEL)
        worst = (max if column.is_error else min)(of_places.values(), default=math.nan)
        estimates[key] = Estimate(limits.value, sd, limits.low, limits.high, worst)
    return estimates


def _means(values: Iterator[tuple[object, float]]) -> dict[object, float]:
    """The mean of those that are defined, by what they are of."""
    by_key: dict[object, list[float]] = {}
    for key, value in values:
        if not math.isnan(value):
            by_key.setdefault(key, []).append(value)
    return {key: float(np.mean(those)) for key, those in by_key.items()}


def _gains(sampled: _Sampled, base: _Sampled) -> dict[str, Interval]:
    return {
        key: interval(
            sampled.values[key] - base.values[key], sampled.samples[key] - base.samples[key], LEVEL
        )
        for key in COLUMNS
    }


def _amounts(groups: Sequence[_Group]) -> tuple[int, int]:
    """ROIs and figures, each ROI once."""
    figures: dict[str, int] = {}
    for group in groups:
        rois = next(iter(group.at.values()), None)
        counts = [0] * len(group.names) if rois is None else rois.matches.figures.tolist()
        figures |= dict(zip(group.names, counts, strict=True))
    return len(figures), sum(figures.values())
