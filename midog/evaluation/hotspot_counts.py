"""The count that a pathologist reports: figures in the densest window of each ROI, true against
detected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from midog.evaluation.groups import Group
from midog.evaluation.points import ScoredRoi
from midog.json_text import plain
from midog.metrics.agreement import Agreement, agreement, resample_agreement
from midog.metrics.bootstrap import Interval, draw_weights, interval
from midog.metrics.hotspot import HotspotSettings, hotspot


@dataclass(frozen=True)
class HotspotRow:
    """The counts of one ROI.

    Attributes:
        file_name: As the annotation names it.
        true: Figures in their own densest window.
        detected: Detections that count in their own densest window, wherever that is.
        at_true: Detections that count in the window of the figures.
        inside_mm2: Area of the figures' window that is in the image.
    """

    file_name: str
    true: int
    detected: int
    at_true: int
    inside_mm2: float


@dataclass(frozen=True)
class HotspotAgreement:
    """How the counts of a group's ROIs agree.

    Attributes:
        agreement: Of counts, not of densities; see `midog.metrics.agreement`.
        true: Mean true count.
        detected: Mean detected count.
        spearman: Rank correlation with its interval over patients.
        icc: Intraclass correlation, with its interval.
        bias: Mean of detected - true, with its interval.
    """

    agreement: Agreement
    true: float
    detected: float
    spearman: Interval
    icc: Interval
    bias: Interval


@dataclass(frozen=True, eq=False)
class HotspotCounts:
    """Counts in hotspots, by group and by ROI.

    Attributes:
        wanted: The window.
        groups: By name, as those of the evaluation.
        rois: In the order of the data.
    """

    wanted: HotspotSettings
    groups: Mapping[str, HotspotAgreement]
    rois: tuple[HotspotRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/evaluation.schema.json describes each key."""
        groups = {
            name: {
                **vars(group.agreement),
                "true": group.true,
                "detected": group.detected,
                "intervals": {
                    "spearman": [group.spearman.low, group.spearman.high],
                    "icc": [group.icc.low, group.icc.high],
                    "bias": [group.bias.low, group.bias.high],
                },
            }
            for name, group in self.groups.items()
        }
        tree: dict[str, Any] = plain(
            {
                "area_mm2": self.wanted.area_mm2,
                "shape": self.wanted.shape,
                "groups": groups,
                "rois": [vars(row) for row in self.rois],
            }
        )
        return tree


def count_hotspots(
    scored: Sequence[ScoredRoi],
    groups: Sequence[Group],
    wanted: HotspotSettings,
    *,
    level: float,
    resamples: int,
    seed: int,
) -> HotspotCounts:
    """Count in the hotspots of ROIs, and compare the counts.

    Args:
        scored: The ROIs.
        groups: Which of them are compared together.
        wanted: The window.
        level: Of the intervals.
        resamples: Of the bootstrap over patients; 0: no intervals.
        seed: Of the draws.
    """
    rows = tuple(_row(roi, wanted) for roi in scored)
    true = np.array([row.true for row in rows], np.float64)
    detected = np.array([row.detected for row in rows], np.float64)
    compared = {}
    for group in groups:
        members = np.array(group.members, np.int64)
        patients = [scored[number].roi.patient_or_name for number in group.members]
        agreed = agreement(true[members], detected[members])
        weights = draw_weights(patients, resamples, seed)
        drawn = resample_agreement(true[members], detected[members], weights)
        compared[group.name] = HotspotAgreement(
            agreed,
            float(true[members].mean()),
            float(detected[members].mean()),
            interval(agreed.spearman, drawn.spearman, level),
            interval(agreed.icc, drawn.icc, level),
            interval(agreed.bias, drawn.bias, level),
        )
    return HotspotCounts(wanted, compared, rows)


def _row(roi: ScoredRoi, wanted: HotspotSettings) -> HotspotRow:
    width, height = roi.size_mm
    size_mm = None if math.isnan(width) or math.isnan(height) else (width, height)
    counted = roi.points.detected_mm[roi.counted]
    true, detected = (
        hotspot(points, wanted.area_mm2, wanted.shape, size_mm=size_mm)
        for points in (roi.points.truth_mm, counted)
    )
    return HotspotRow(
        file_name=roi.roi.file_name,
        true=true.count,
        detected=detected.count,
        at_true=int(true.holds(counted).sum()) if true.count else 0,
        inside_mm2=true.inside_mm2,
    )
