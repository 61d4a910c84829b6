"""Scores of heat maps as `midog heatmap evaluate` prints them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from midog.cli.shared import number, print_table
from midog.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from midog.evaluation.heatmap_result import HeatmapEvaluation
    from midog.heatmap.slide_record import SlideRecord


def print_maps(records: Mapping[str, SlideRecord]) -> None:
    """Print a line for each map, by the slide's name."""
    if not records:
        return
    some = next(iter(records.values()))
    header = ["slide", "score", f"{some.class_name} mm2", "looked at mm2"]
    with_truth = any(own.truth for own in records.values())
    keys = ("tp_rate", "precision", "prevalence") if with_truth else ()
    header += ["recall", *keys[1:]] if keys else []
    rows = []
    for name, record in records.items():
        row = [name, number(record.slide_score)]
        row += [f"{record.area_mm2:.3f}", f"{record.looked_at_mm2:.3f}"]
        rates = [(record.truth or {}).get(key) for key in keys]
        rows.append(row + [number(math.nan if rate is None else rate) for rate in rates])
    print_table(header, rows)


def print_heatmap_scores(result: HeatmapEvaluation) -> None:
    """Print a line for each score with its interval, then one for each slide."""
    from midog.evaluation.heatmap_result import INTERVALS
    from midog.metrics.lesion_froc import PLACES

    header = ["score", "value", *([f"{result.level:.0%} interval"] if result.resamples else [])]
    rows = []
    for key, name in INTERVALS.items():
        score = result.scores[key]
        row = [name, number(score.value)]
        if result.resamples:
            row.append(f"{number(score.low)} - {number(score.high)}")
        rows.append(row)
    for place, sensitivity in zip(PLACES, result.froc.sensitivities, strict=True):
        row = [f"sensitivity at {place:g} FP/slide", number(sensitivity)]
        rows.append([*row, *([""] if result.resamples else [])])
    print_table(header, rows)
    print_table(
        ["", "slide", "score", "AUC", "recall", "precision", "prevalence", "lesions", "hit", "FP"],
        [
            [
                "tumour" if slide.has_tumour else "normal",
                slide.name,
                number(slide.score),
                number(slide.auc),
                number(slide.counts.recall),
                number(slide.counts.precision),
                number(slide.counts.prevalence),
                str(slide.lesions),
                str(slide.hit),
                str(slide.false_positives),
            ]
            for slide in result.slides
        ],
    )
    counts = result.counts
    say(
        f"{len(result.slides)} slides, {counts.pixels:,} px looked at, of which"
        f" {100 * counts.prevalence:.2f} % are {result.class_name}: precision is that of this share"
    )
    say(
        f"at {result.threshold:.3f} or more ({result.threshold_from}):"
        f" TP {_percent(counts.recall)}, FN {_percent(counts.false_negative_rate)},"
        f" TN {_percent(counts.specificity)}, FP {_percent(counts.false_positive_rate)}"
    )
    say(
        f"{result.froc.lesions} lesions, those under 275 um left out as CAMELYON16 does; peaks of"
        f" {result.least_peak:g} or more, {result.radius_um:g} um apart"
    )


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"
