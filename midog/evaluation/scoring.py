"""The evaluation of a folder of detections: every score of all ROIs and of each group, with
intervals."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.figure_free import FigureFree
from midog.evaluation.groups import Group, keys_of, make_groups, parse_by
from midog.evaluation.hotspot_counts import count_hotspots
from midog.evaluation.measure import Part
from midog.evaluation.measures import MEASURES
from midog.evaluation.points import ScoredRoi, score_rois
from midog.evaluation.result import MISTAKES, Evaluation, GroupScores, Mistake, RoiScores
from midog.evaluation.written_scores import WrittenScores, written_scores
from midog.metrics.bootstrap import Interval, interval, weights_in_parts
from midog.metrics.froc import froc_curve_of_sweep
from midog.metrics.hotspot import HotspotSettings
from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.mistakes import (
    MISS_DISTANCES,
    MISSES,
    false_alarm_kinds,
    kinds_of_misses,
    miss_distance,
)
from midog.metrics.points import Values, px_of_mm
from midog.metrics.pooled_matches import PooledMatches
from midog.mpp import MppLike

RESAMPLES = 2000
MOST_RESAMPLES = 100_000
"""Each has a weight for every ROI: these are 0.4 GB for 500 ROIs."""
LEVEL = 0.95


def evaluate(
    detections: Path | str,
    rois: Sequence[Roi],
    *,
    by: str | Sequence[str] = "scanner",
    threshold: float | None = None,
    mpp: MppLike | None = None,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
    hotspots: HotspotSettings | None = None,
) -> Evaluation:
    """Score a folder of detections as the MIDOG challenge does, in all and by group.

    Args:
        detections: Folder with STEM.json, STEM/mitotic-figures.json or another format that midog
            reads for the ROI whose file name has that stem. Files of no ROI in `rois` are left out,
            with a warning.
        rois: The ROIs to score.
        by: scanner, patient, file_name or a column of the ROIs; "tumour,scanner" nests.
        threshold: None counts the points named 'mitotic figure'; else all points of probability >=
            it count, whatever their name. In [0, 1].
        mpp: um/px for all ROIs, or those along x and y; None takes each ROI's own, or that of its
            image.
        allow_missing: An ROI without a file counts as one without detections; else it is an error.
        resamples: Of the 95 % bootstrap intervals, drawn over patients; 0: no intervals.
        seed: Of the draws.
        hotspots: Count figures in the densest window of each ROI too; None: do not.

    Raises:
        DetectionsError: For what cannot be scored: missing, doubled or bad files, unlabelled ROIs,
            no mpp, an unknown column.
    """
    check_resamples(resamples, least=0, few="give 0 (no intervals) or more")
    columns = parse_by(by)
    keys = keys_of(rois, columns)
    scored = score_rois(detections, rois, threshold=threshold, mpp=mpp, allow_missing=allow_missing)
    written = written_scores(detections, scored, threshold)
    result = summarise(
        scored,
        keys,
        columns,
        threshold=threshold,
        written=written,
        resamples=resamples,
        seed=seed,
    )
    if hotspots is None:
        return result
    groups = make_groups(keys, columns)
    counts = count_hotspots(scored, groups, hotspots, level=LEVEL, resamples=resamples, seed=seed)
    return replace(result, hotspots=counts)


def check_resamples(resamples: int, *, least: int, few: str) -> None:
    """Refuse a number of resamples that is out of range; `few` is the fix for one that is too low.

    Raises:
        DetectionsError: It is under `least` or over MOST_RESAMPLES.
    """
    if resamples < least:
        raise DetectionsError(f"{resamples} resamples", few)
    if resamples > MOST_RESAMPLES:
        raise DetectionsError(f"{resamples} resamples", f"give at most {MOST_RESAMPLES}")


def summarise(
    scored: Sequence[ScoredRoi],
    keys: Sequence[Mapping[str, str]],
    by: tuple[str, ...],
    *,
    threshold: float | None,
    written: WrittenScores,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Return the evaluation of ROIs that are read and matched.

    Args:
        scored: The ROIs.
        keys: Values of the columns `by`, for each ROI.
        by: The columns.
        threshold: As of `evaluate`.
        written: Which scores the detections hold.
        resamples: As of `evaluate`.
        seed: As of `evaluate`.
    """
    lowest = threshold if threshold is not None else _lowest_counted(scored)
    mistakes = [_mistakes(roi, of_roi, lowest) for roi, of_roi in zip(scored, keys, strict=True)]
    matched = matched_rois(scored)
    groups = {}
    for group in make_groups(keys, by):
        rois = matched.select(group.members)
        patients = [scored[number].roi.patient_or_name for number in group.members]
        kinds = [mistake for number in group.members for mistake in mistakes[number]]
        parts = _parts(rois, patients)
        values = _values(parts, written)
        intervals = _intervals(parts, values, resamples, seed) if resamples else {}
        groups[group.name] = _pool(group, parts, kinds, values, intervals)
    rows = tuple(_row(roi, of_roi) for roi, of_roi in zip(scored, keys, strict=True))
    all_mistakes = tuple(itertools.chain(*mistakes))
    return Evaluation(threshold, by, LEVEL, resamples, seed, written, groups, rows, all_mistakes)


def matched_rois(scored: Sequence[ScoredRoi]) -> MatchedRois:
    """Match all detections of the ROIs, those that do not count too, for the measures."""
    return MatchedRois(
        [roi.counts for roi in scored],
        np.array([roi.area_mm2 for roi in scored]),
        PooledMatches.of([roi.points for roi in scored]),
    )


def _row(roi: ScoredRoi, keys: Mapping[str, str]) -> RoiScores:
    return RoiScores(
        file_name=roi.roi.file_name,
        patient=roi.roi.patient_or_name,
        keys=keys,
        figures=len(roi.points.truth_mm),
        counts=roi.counts,
        mpp=roi.mpp,
        area_mm2=roi.area_mm2,
    )


@dataclass(frozen=True, eq=False)
class _PartOfGroup:
    """Some ROIs of a group, and the patient of each."""

    rois: MatchedRois
    patients: Sequence[str]


def _parts(rois: MatchedRois, patients: Sequence[str]) -> dict[Part, _PartOfGroup]:
    """The parts of a group that measures are of."""
    by_figures: tuple[list[str], list[str]] = ([], [])
    for patient, figures in zip(patients, rois.matches.figures.tolist(), strict=True):
        by_figures[figures > 0].append(patient)
    return {
        "all": _PartOfGroup(rois, patients),
        "figure-free": _PartOfGroup(rois.figure_free, by_figures[False]),
        "with figures": _PartOfGroup(rois.with_figures, by_figures[True]),
    }


def _values(parts: Mapping[Part, _PartOfGroup], written: WrittenScores) -> dict[str, float]:
    """Of MEASURES, by key."""
    return {
        key: math.nan
        if measure.every_score and written.lack
        else measure.value(parts[measure.part].rois)
        for key, measure in MEASURES.items()
    }


def _intervals(
    parts: Mapping[Part, _PartOfGroup], values: Mapping[str, float], resamples: int, seed: int
) -> dict[str, Interval]:
    """Of MEASURES, all of one part from the same draws of its patients."""
    samples: dict[str, list[Values]] = {key: [np.zeros(0)] for key in MEASURES}
    for name, part in parts.items():
        defined = {
            key: measure
            for key, measure in MEASURES.items()
            if measure.part == name and not math.isnan(values[key])
        }
        for weights in weights_in_parts(part.patients, resamples, seed) if defined else ():
            drawn = Resamples(part.rois, weights)
            for key, measure in defined.items():
                samples[key].append(measure.resample(drawn))
    return {key: interval(values[key], np.concatenate(samples[key]), LEVEL) for key in MEASURES}


def _pool(
    group: Group,
    parts: Mapping[Part, _PartOfGroup],
    mistakes: Sequence[Mistake],
    values: Mapping[str, float],
    intervals: Mapping[str, Interval],
) -> GroupScores:
    """The scores of one group: its ROIs, their patients and their mistakes."""
    rois, patients, free = parts["all"].rois, parts["all"].patients, parts["figure-free"]
    kinds = Counter(mistake.kind for mistake in mistakes)
    distances = Counter(
        miss_distance(mistake.kind, mistake.to_threshold)
        for mistake in mistakes
        if mistake.kind in MISSES
    )
    return GroupScores(
        keys=group.keys,
        rois=len(patients),
        patients=len(set(patients)),
        figures=rois.figures,
        area_mm2=rois.area_mm2,
        counts=rois.pooled,
        values=values,
        intervals=intervals,
        curve=rois.sweep,
        froc=froc_curve_of_sweep(rois.sweep, len(patients), rois.area_mm2),
        oracle=rois.oracle,
        figure_free=FigureFree.of(free.rois, free.patients),
        agreement=rois.agreement,
        calibration=rois.reliability,
        mistakes={kind: kinds[kind] for kind in MISTAKES},
        misses_by_distance={distance: distances[distance] for distance in MISS_DISTANCES},
    )


def _lowest_counted(scored: Sequence[ScoredRoi]) -> float:
    """Of the scores of all detections that count; NaN where none does."""
    return min(
        (float(roi.points.scores[roi.counted].min()) for roi in scored if roi.counted.any()),
        default=math.nan,
    )


def _mistakes(roi: ScoredRoi, keys: Mapping[str, str], threshold: float) -> list[Mistake]:
    """False alarms, then misses, of one ROI."""
    detected, scores = roi.points.detected_mm, roi.points.scores
    alarms, missed = roi.false_alarms, roi.points.truth_mm[roi.missed]
    kinds = false_alarm_kinds(detected[alarms], roi.points.truth_mm, roi.imposters_mm)
    kinds_of_missed, best = kinds_of_misses(missed, detected, scores, roi.counted)
    places = px_of_mm(np.concatenate([detected[alarms], missed]), roi.mpp)
    return [
        Mistake(roi.roi.file_name, kind, x, y, score, score - threshold, keys)
        for (x, y), kind, score in zip(
            places.tolist(),
            [*kinds, *kinds_of_missed],
            [*scores[alarms].tolist(), *best.tolist()],
            strict=True,
        )
    ]
