"""An evaluation with the keys of the MIDOG 2025 challenge's metrics.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midog.errors import DetectionsError
from midog.evaluation.challenge_truth import ROI_TYPES, TruthRoi
from midog.evaluation.points import ScoredRoi
from midog.metrics.challenge_scores import challenge_scores
from midog.metrics.counts import Counts


def truth_of(scored: Sequence[ScoredRoi]) -> list[TruthRoi]:
    """Take scored ROIs of a data folder as a ground truth of the challenge.

    The tumour is that of the column `tumour`, "unknown" where an ROI has none.

    Raises:
        DetectionsError: An ROI has no `roi_type`.
    """
    without = [
        one.roi.file_name for one in scored if one.roi.columns.get("roi_type") not in ROI_TYPES
    ]
    if without:
        what = f"{len(without)} ROIs have no roi_type of the challenge, as {without[0]}"
        raise DetectionsError(
            what, f"write {', '.join(ROI_TYPES)} in the split, or give {{truth}}", {"truth": None}
        )
    return [
        TruthRoi(
            one.roi.file_name,
            one.points.truth_mm,
            one.roi.columns.get("tumour") or "unknown",
            one.roi.columns["roi_type"],
        )
        for one in scored
    ]


def challenge_metrics(scored: Sequence[ScoredRoi], truth: Sequence[TruthRoi]) -> dict[str, Any]:
    """Return what the organisers' evaluation of track 1 writes, as plain JSON values.

    `gt` is empty, as there. Numbers are the evaluation's own to some 1e-7, as it takes AP in
    float32; NaN is written as null.

    Args:
        scored: The ROIs, with their detections matched.
        truth: The same ROIs.
    """
    everything = range(len(truth))
    domains = sorted(
        {own.tumor_domain for own in truth}, key=lambda own: (isinstance(own, str), own)
    )
    aggregates = dict(_scores(scored, everything))
    for domain in domains:
        members = [number for number in everything if truth[number].tumor_domain == domain]
        aggregates |= _named(f"tumor_{domain}", _scores(scored, members))
    for kind in ROI_TYPES:
        members = [number for number in everything if truth[number].roi_type == kind]
        aggregates |= _named(f"roi_type_{kind}", _scores(scored, members))
    rows = [_row(one, own) for one, own in zip(scored, truth, strict=True)]
    return {"results": rows, "aggregates": aggregates}


def _scores(scored: Sequence[ScoredRoi], members: Sequence[int]) -> dict[str, float]:
    rois = [scored[number] for number in members]
    return challenge_scores(
        [one.points for one in rois], sum((one.counts for one in rois), Counts())
    )


def _named(prefix: str, scores: dict[str, float]) -> dict[str, float]:
    """Scores of a part with the evaluation's keys, in which F1 has another name than in all."""
    keys = {"f1_score": "f1"}
    return {f"{prefix}_{keys.get(key, key)}": value for key, value in scores.items()}


def _row(one: ScoredRoi, own: TruthRoi) -> dict[str, Any]:
    places = one.points.detected_mm.tolist()
    rows = zip(places, one.counted.tolist(), one.points.scores.tolist(), strict=True)
    return {
        "image": own.file_name,
        "gt": [],
        "tumor_domain": own.tumor_domain,
        "pred": [[x, y, 0, int(counts), score] for (x, y), counts, score in rows],
        "metrics": {
            "true_positives": one.counts.tp,
            "false_negatives": one.counts.fn,
            "false_positives": one.counts.fp,
        },
        "roi_type": own.roi_type,
    }
