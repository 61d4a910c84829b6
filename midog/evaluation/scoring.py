"""The evaluation of a folder of detections: every score of all ROIs and of each group, with
intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.groups import Group, keys_of, make_groups, parse_by
from midog.evaluation.points import ScoredRoi, score_rois
from midog.evaluation.result import (
    FURTHER,
    MEASURES,
    MISTAKES,
    Evaluation,
    GroupScores,
    Mistake,
    RoiScores,
)
from midog.metrics.agreement import agreement, resample_agreement
from midog.metrics.bootstrap import Interval, draw_weights, interval, resample_hits, resample_rates
from midog.metrics.calibration import reliability, resample_ece
from midog.metrics.counts import Counts, Values, precision_of_hits, sweep_hits
from midog.metrics.froc import sweep_auc, sweep_curve
from midog.metrics.mistakes import (
    MISS_DISTANCES,
    MISSES,
    false_alarm_kinds,
    kinds_of_misses,
    miss_distance,
)
from midog.metrics.pooled_matches import Hits

RESAMPLES = 2000
LEVEL = 0.95


def evaluate(
    detections: Path | str,
    rois: Sequence[Roi],
    *,
    by: str | Sequence[str] = "scanner",
    threshold: float | None = None,
    mpp: float | None = None,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Score a folder of 'Multiple points' JSON as the MIDOG challenge does, in all and by group.

    detections: folder with STEM.json or STEM/mitotic-figures.json for the ROI whose file name has
    that stem. Files of no ROI in `rois` are left out, with a warning.
    by: scanner, patient, file_name or a column of the ROIs; "tumour,scanner" nests.
    threshold: None counts the points named 'mitotic figure'; else all points of probability >= it
    count, whatever their name. In [0, 1].
    mpp: um/px for all ROIs; None takes each ROI's own, or that of its image.
    allow_missing: an ROI without a file counts as one without detections; else it is an error.
    resamples, seed: of the 95 % bootstrap intervals, drawn over patients; 0 resamples: no
    intervals. Raises DetectionsError for what cannot be scored: missing or doubled or bad files,
    unlabelled ROIs, no mpp, an unknown column.
    """
    if resamples < 0:
        raise DetectionsError(f"{resamples} resamples", "give 0 (no intervals) or more")
    columns = parse_by(by)
    keys = keys_of(rois, columns)
    scored = score_rois(detections, rois, threshold=threshold, mpp=mpp, allow_missing=allow_missing)
    return summarise(scored, keys, columns, threshold=threshold, resamples=resamples, seed=seed)


def summarise(
    scored: Sequence[ScoredRoi],
    keys: Sequence[Mapping[str, str]],
    by: tuple[str, ...],
    *,
    threshold: float | None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """The evaluation of ROIs that are read and matched. keys: values of the columns `by`, for each
    ROI."""
    lowest = threshold if threshold is not None else _lowest_counted(scored)
    mistakes = [_mistakes(each, mine, lowest) for each, mine in zip(scored, keys, strict=True)]
    hits = Hits.of([each.points for each in scored])
    groups = {
        group.name: _pool(
            group,
            [scored[i] for i in group.members],
            [mistakes[i] for i in group.members],
            hits.select(group.members),
            resamples,
            seed,
        )
        for group in make_groups(keys, by)
    }
    rows = tuple(_row(each, mine) for each, mine in zip(scored, keys, strict=True))
    flat = tuple(mistake for theirs in mistakes for mistake in theirs)
    return Evaluation(threshold, by, LEVEL, resamples, seed, groups, rows, flat)


def patient_of(roi: Roi) -> str:
    """The patient, or the ROI itself where none is named."""
    return roi.patient or roi.file_name


def _row(each: ScoredRoi, keys: Mapping[str, str]) -> RoiScores:
    return RoiScores(
        file_name=each.roi.file_name,
        patient=patient_of(each.roi),
        keys=keys,
        figures=len(each.points.truth_mm),
        counts=each.counts,
        mpp=each.mpp,
        area_mm2=each.area_mm2,
    )


def _pool(
    group: Group,
    scored: Sequence[ScoredRoi],
    mistakes: Sequence[Sequence[Mistake]],
    hits: Hits,
    resamples: int,
    seed: int,
) -> GroupScores:
    """The scores of one group: its ROIs, their mistakes and their hits."""
    figures = int(hits.figures.sum())
    curve = sweep_hits(hits.scores, hits.in_radius, figures)
    area = math.fsum(each.area_mm2 for each in scored)
    together = [mistake for theirs in mistakes for mistake in theirs]
    kinds = Counter(mistake.kind for mistake in together)
    distances = Counter(
        miss_distance(each.kind, each.to_threshold) for each in together if each.kind in MISSES
    )
    pooled = GroupScores(
        keys=group.keys,
        rois=len(scored),
        patients=len({patient_of(each.roi) for each in scored}),
        figures=figures,
        area_mm2=area,
        counts=sum((each.counts for each in scored), Counts()),
        ap50=precision_of_hits(hits.scores, hits.overlapping, figures),
        froc_auc=sweep_auc(curve, len(scored)),
        intervals={},
        curve=curve,
        froc=sweep_curve(curve, len(scored), area),
        agreement=agreement(*_densities(scored)),
        # a stranger's probabilities may leave [0, 1] no more than ours: read_challenge holds them
        # to it
        calibration=reliability(hits.scores, hits.in_radius),
        mistakes={kind: kinds[kind] for kind in MISTAKES},
        misses_by_distance={distance: distances[distance] for distance in MISS_DISTANCES},
    )
    return (
        replace(pooled, intervals=_intervals(pooled, scored, hits, resamples, seed))
        if resamples
        else pooled
    )


def _densities(scored: Sequence[ScoredRoi]) -> tuple[Values, Values]:
    """True figures and points that count per mm2, (R,) and (R,)."""
    areas = np.array([each.area_mm2 for each in scored])
    true, found = np.array([(len(each.points.truth_mm), each.matches.n_found) for each in scored]).T
    return true / areas, found / areas


def _intervals(
    pooled: GroupScores, scored: Sequence[ScoredRoi], hits: Hits, resamples: int, seed: int
) -> dict[str, Interval]:
    """Of MEASURES and FURTHER, all from the same draws of patients."""
    weights = draw_weights([patient_of(each.roi) for each in scored], resamples, seed)
    counts = [each.counts for each in scored]
    samples: dict[str, Values] = {
        **vars(resample_hits(counts, hits, weights)),
        **vars(resample_rates(counts, np.array([each.area_mm2 for each in scored]), weights)),
        **vars(resample_agreement(*_densities(scored), weights)),
        "ece": resample_ece(hits.scores, hits.in_radius, hits.owner, weights),
    }
    return {
        name: interval(pooled.value(name), samples[name], LEVEL) for name in (*MEASURES, *FURTHER)
    }


def _lowest_counted(scored: Sequence[ScoredRoi]) -> float:
    """Of the scores of all points that count; NaN where none does."""
    return min(
        (float(each.points.scores[each.counted].min()) for each in scored if each.counted.any()),
        default=math.nan,
    )


def _mistakes(each: ScoredRoi, keys: Mapping[str, str], threshold: float) -> list[Mistake]:
    """False alarms, then misses, of one ROI."""
    found, scores = each.points.found_mm, each.points.scores
    alarms, missed = each.false_alarms, each.points.truth_mm[each.missed]
    kinds = false_alarm_kinds(found[alarms], each.points.truth_mm, each.imposters_mm)
    kinds_of_missed, best = kinds_of_misses(missed, found, scores, each.counted)
    places = np.concatenate([found[alarms], missed]) * 1000 / each.mpp
    return [
        Mistake(each.roi.file_name, kind, x, y, score, score - threshold, keys)
        for (x, y), kind, score in zip(
            places.tolist(),
            [*kinds, *kinds_of_missed],
            [*scores[alarms].tolist(), *best.tolist()],
            strict=True,
        )
    ]
