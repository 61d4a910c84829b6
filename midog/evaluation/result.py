"""What an evaluation says, of each ROI and each group; all of it as plain JSON types and as a table
of ROIs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midog import __version__
from midog.files import plain
from midog.metrics.agreement import Agreement
from midog.metrics.bootstrap import Interval
from midog.metrics.calibration import Reliability
from midog.metrics.counts import Counts, Sweep
from midog.metrics.froc import FrocCurve
from midog.metrics.mistakes import FALSE_ALARMS, MISSES

SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""

MISTAKES = (*FALSE_ALARMS, *MISSES)
"""Kinds of mistakes: false alarms by what lies there, misses by which points lie there."""

MEASURES = ("precision", "recall", "f1", "ap50", "froc_auc")
"""The scores, by which models are compared; each has an interval."""

RATES = (
    "fp_per_roi",
    "fp_per_mm2",
    "figures_per_mm2",
    "found_per_mm2",
    "figures_per_2mm2",
    "found_per_2mm2",
)
AGREEMENT = {"spearman": "spearman", "bias": "bias", "limit_low": "low", "limit_high": "high"}
"""Names of intervals, and those of the fields of `Agreement` that they are of."""
FURTHER = (*RATES, *AGREEMENT, "ece")
"""What else has an interval: rates, the agreement of counts, and the calibration error."""


@dataclass(frozen=True)
class Mistake:
    """A false alarm or a miss.

    kind: one of MISTAKES. x_px, y_px: level-0 px, NaN where the um/px is not known. keys: of its
    ROI.
    score: of a false alarm, its own; of a miss, that of its best point (`kinds_of_misses`), NaN
    where there is none.
    to_threshold: score less the threshold, below 0 where a figure was found below the threshold;
    where the points' names were counted, the threshold is taken to be the lowest score that counted
    anywhere (a point of another name may lie over it). NaN if not known.
    """

    file_name: str
    kind: str
    x_px: float
    y_px: float
    score: float
    to_threshold: float
    keys: Mapping[str, str]


@dataclass(frozen=True)
class RoiScores:
    """Scores of one ROI. keys: its values of the columns. mpp (um/px), area_mm2 of the image: NaN
    where not known."""

    file_name: str
    patient: str
    keys: Mapping[str, str]
    figures: int
    counts: Counts
    mpp: float
    area_mm2: float

    @property
    def found(self) -> int:
        """Points that count."""
        return self.counts.tp + self.counts.fp

    @property
    def figures_per_mm2(self) -> float:
        """True figures per mm2; twice that is the count in ten high-power fields of old (2 mm2)."""
        return self.figures / self.area_mm2

    @property
    def found_per_mm2(self) -> float:
        """Found points per mm2."""
        return self.found / self.area_mm2


@dataclass(frozen=True, eq=False)
class GroupScores:
    """Scores of some ROIs together.

    keys: values of the columns, none for "all". rois, patients, figures: their numbers. area_mm2:
    NaN where an ROI's is not known. counts: pooled; ratios are NaN where the denominator is zero.
    ap50: average precision over all points whatever their name, NaN without figures. froc_auc: as
    the 2025 challenge has it, 0 to 8, NaN without figures.
    intervals: of MEASURES and FURTHER; empty where none were asked for. curve, froc: at every
    threshold. calibration:
    of the scores of all points. agreement: of found with true figures per mm2, over ROIs. mistakes:
    number of each of MISTAKES. misses_by_distance: number of misses at each of MISS_DISTANCES from
    the threshold.
    """

    keys: Mapping[str, str]
    rois: int
    patients: int
    figures: int
    area_mm2: float
    counts: Counts
    ap50: float
    froc_auc: float
    intervals: Mapping[str, Interval]
    curve: Sweep
    froc: FrocCurve
    agreement: Agreement
    calibration: Reliability
    mistakes: Mapping[str, int]
    misses_by_distance: Mapping[str, int]

    @property
    def found(self) -> int:
        """Points that count."""
        return self.counts.tp + self.counts.fp

    @property
    def rates(self) -> dict[str, float]:
        """RATES: false alarms per ROI; false alarms, true figures and points that count per mm2 or
        per 2 mm2."""
        return {
            "fp_per_roi": self.counts.fp / self.rois,
            "fp_per_mm2": self.counts.fp / self.area_mm2,
            "figures_per_mm2": self.figures / self.area_mm2,
            "found_per_mm2": self.found / self.area_mm2,
            "figures_per_2mm2": 2 * self.figures / self.area_mm2,
            "found_per_2mm2": 2 * self.found / self.area_mm2,
        }

    def value(self, measure: str) -> float:
        """One of MEASURES or FURTHER."""
        if measure in RATES:
            return self.rates[measure]
        if measure in AGREEMENT:
            return float(getattr(self.agreement, AGREEMENT[measure]))
        if measure == "ece":
            return self.calibration.ece
        return float(getattr(self if measure in ("ap50", "froc_auc") else self.counts, measure))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/evaluation.schema.json says what each is."""
        return {
            "keys": dict(self.keys),
            "rois": self.rois,
            "patients": self.patients,
            "figures": self.figures,
            "area_mm2": plain(self.area_mm2),
            "tp": self.counts.tp,
            "fp": self.counts.fp,
            "fn": self.counts.fn,
            **{measure: plain(self.value(measure)) for measure in MEASURES},
            "intervals": {
                name: [plain(each.low), plain(each.high)] for name, each in self.intervals.items()
            },
            **{name: plain(value) for name, value in self.rates.items()},
            "agreement": {name: plain(value) for name, value in vars(self.agreement).items()},
            "calibration": {name: plain(value) for name, value in vars(self.calibration).items()},
            "mistakes": dict(self.mistakes),
            "misses_by_distance": dict(self.misses_by_distance),
            "curve": {
                "threshold": plain(self.froc.thresholds),
                "precision": plain(self.curve.precision),
                "recall": plain(self.froc.recall),
                "fp_per_roi": plain(self.froc.fp_per_roi),
                "fp_per_mm2": plain(self.froc.fp_per_mm2),
            },
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores by group, "all" first, then the values of the columns `by` in the order of the ROIs.

    threshold: the one asked for, None where the points' own names were counted.
    level, resamples, seed: of the intervals.
    """

    threshold: float | None
    by: tuple[str, ...]
    level: float
    resamples: int
    seed: int
    groups: Mapping[str, GroupScores]
    rois: tuple[RoiScores, ...]
    mistakes: tuple[Mistake, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/evaluation.schema.json says what each is."""
        return {
            "schema_version": SCHEMA_VERSION,
            "midog": __version__,
            "threshold": self.threshold,
            "by": list(self.by),
            "bootstrap": {
                "unit": "patient",
                "level": self.level,
                "resamples": self.resamples,
                "seed": self.seed,
            },
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
            "rois": [roi_row(roi) for roi in self.rois],
            "mistakes": [
                {
                    name: dict(value) if name == "keys" else plain(value)
                    for name, value in vars(mistake).items()
                }
                for mistake in self.mistakes
            ],
        }

    def to_csv(self) -> str:
        """A line per ROI, with a header; an empty cell where a value is undefined.

        A column of `by` that is named as a score, or as another of the ROI's own, is written as
        by_NAME.
        """
        text = io.StringIO()
        rows = [_flat(roi_row(roi)) for roi in self.rois]
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def roi_row(roi: RoiScores) -> dict[str, Any]:
    """Plain JSON types, NaN as None."""
    return {
        "file_name": roi.file_name,
        "patient": roi.patient,
        "keys": dict(roi.keys),
        "figures": roi.figures,
        "tp": roi.counts.tp,
        "fp": roi.counts.fp,
        "fn": roi.counts.fn,
        "precision": plain(roi.counts.precision),
        "recall": plain(roi.counts.recall),
        "f1": plain(roi.counts.f1),
        "mpp": plain(roi.mpp),
        "area_mm2": plain(roi.area_mm2),
        "figures_per_mm2": plain(roi.figures_per_mm2),
        "found_per_mm2": plain(roi.found_per_mm2),
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the values of the columns beside the scores, none of which they replace."""
    keys = row.pop("keys")
    for name, value in keys.items():
        while name in row:
            name = f"by_{name}"
        row[name] = value
    return row
