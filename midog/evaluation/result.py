"""The result of an evaluation, of each ROI and each group: as plain JSON types, and as a table of
ROIs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midog._version import __version__
from midog.data.csv_text import spreadsheet_cell
from midog.evaluation.figure_free import FigureFree
from midog.evaluation.hotspot_counts import HotspotCounts
from midog.evaluation.measures import MEASURES
from midog.evaluation.written_scores import WrittenScores
from midog.json_text import plain
from midog.metrics.agreement import Agreement
from midog.metrics.bootstrap import Interval
from midog.metrics.calibration import Reliability
from midog.metrics.counts import Counts
from midog.metrics.froc import FrocCurve
from midog.metrics.mistakes import FALSE_ALARMS, MISSES
from midog.metrics.oracle import Oracle
from midog.metrics.sweep import Sweep
from midog.mpp import Mpp

SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""

MISTAKES = (*FALSE_ALARMS, *MISSES)
"""Kinds of mistakes: false alarms by what lies there, misses by which detections lie there."""


@dataclass(frozen=True)
class Mistake:
    """A false alarm or a miss.

    Attributes:
        file_name: Of its ROI.
        kind: One of MISTAKES.
        x_px: To the right, level-0 px; NaN where the um/px is not known.
        y_px: Down, likewise.
        score: Of a false alarm, its own; of a miss, that of its best detection
            (`kinds_of_misses`), NaN without one.
        to_threshold: Score less the threshold, below 0 where a figure was detected below the
            threshold. Where names were counted, the threshold is taken to be the lowest score that
            counted anywhere (a detection of another name may lie over it). NaN if not known.
        keys: Of its ROI.
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
    """Scores of one ROI.

    Attributes:
        file_name: As the annotation names it.
        patient: See `Roi`.
        keys: Its values of the columns.
        figures: Number of true figures.
        counts: Its counts.
        mpp: um/px along x and y; None where it is not known.
        area_mm2: Of the image; NaN where it is not known.
    """

    file_name: str
    patient: str
    keys: Mapping[str, str]
    figures: int
    counts: Counts
    mpp: Mpp | None
    area_mm2: float

    @property
    def figures_per_mm2(self) -> float:
        """True figures per mm2; twice that is the count in ten high-power fields of old (2 mm2)."""
        return self.figures / self.area_mm2

    @property
    def f1(self) -> float:
        """F1; NaN without a figure, as nothing can be found then."""
        return self.counts.f1 if self.figures else math.nan

    @property
    def fp_per_mm2(self) -> float:
        """False alarms per mm2."""
        return self.counts.fp / self.area_mm2

    @property
    def found_per_mm2(self) -> float:
        """Detections that count per mm2."""
        return (self.counts.tp + self.counts.fp) / self.area_mm2

    @property
    def plain_mpp(self) -> float | list[float] | None:
        """um/px: a number where px are square, else x and y."""
        if self.mpp is None:
            return None
        return self.mpp.x if self.mpp.is_square else [*self.mpp]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/evaluation.schema.json describes each key."""
        row: dict[str, Any] = plain(
            {
                "file_name": self.file_name,
                "patient": self.patient,
                "keys": dict(self.keys),
                "figures": self.figures,
                "tp": self.counts.tp,
                "fp": self.counts.fp,
                "fn": self.counts.fn,
                "precision": self.counts.precision,
                "recall": self.counts.recall,
                "f1": self.f1,
                "figure_free": self.figures == 0,
                "fp_per_mm2": self.fp_per_mm2,
                "mpp": self.plain_mpp,
                "area_mm2": self.area_mm2,
                "figures_per_mm2": self.figures_per_mm2,
                "found_per_mm2": self.found_per_mm2,
            }
        )
        return row


@dataclass(frozen=True, eq=False)
class GroupScores:
    """Scores of some ROIs together.

    Attributes:
        keys: Values of the columns, none for "all".
        rois: Number of ROIs.
        patients: Number of patients.
        figures: Number of true figures.
        area_mm2: NaN where an ROI's is not known.
        counts: Pooled over the ROIs.
        values: Of MEASURES, by key; NaN where a measure is undefined.
        intervals: Of MEASURES, by key; empty without resamples.
        curve: Counts at every threshold.
        froc: Recall and false positives at every threshold.
        oracle: The best threshold, chosen on these ROIs; it means something only where the
            evaluation's `written` lacks nothing.
        figure_free: Those of the ROIs that have no figure.
        agreement: Of detected with true figures per mm2, over ROIs.
        calibration: Of the scores of all detections.
        mistakes: Number of each of MISTAKES.
        misses_by_distance: Number of misses at each of MISS_DISTANCES from the threshold.
    """

    keys: Mapping[str, str]
    rois: int
    patients: int
    figures: int
    area_mm2: float
    counts: Counts
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]
    curve: Sweep
    froc: FrocCurve
    oracle: Oracle
    figure_free: FigureFree
    agreement: Agreement
    calibration: Reliability
    mistakes: Mapping[str, int]
    misses_by_distance: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/evaluation.schema.json describes each key."""
        paths = {key: MEASURES[key].path for key in self.values}
        on_top = [key for key, path in paths.items() if len(path) == 1]
        tree: dict[str, Any] = {
            "keys": dict(self.keys),
            "rois": self.rois,
            "patients": self.patients,
            "figures": self.figures,
            "area_mm2": self.area_mm2,
            "tp": self.counts.tp,
            "fp": self.counts.fp,
            "fn": self.counts.fn,
            **{key: self.values[key] for key in on_top if MEASURES[key].compared},
            "intervals": {key: [limits.low, limits.high] for key, limits in self.intervals.items()},
            **{key: self.values[key] for key in on_top if not MEASURES[key].compared},
            "oracle": self._oracle(),
            "figure_free": self.figure_free.to_dict(),
            "agreement": dict(vars(self.agreement)),
            "calibration": dict(vars(self.calibration)),
            "mistakes": dict(self.mistakes),
            "misses_by_distance": dict(self.misses_by_distance),
            "curve": {
                "threshold": self.froc.thresholds,
                "precision": self.curve.precision,
                "recall": self.froc.recall,
                "fp_per_roi": self.froc.fp_per_roi,
                "fp_per_mm2": self.froc.fp_per_mm2,
            },
        }
        for key, (*folder, name) in paths.items():
            for part in folder:
                tree[part][name] = self.values[key]
        plain_tree: dict[str, Any] = plain(tree)
        return plain_tree

    def _oracle(self) -> dict[str, Any]:
        """Its threshold, without its scores, which are measures."""
        if math.isnan(self.values["oracle_f1"]):  # undefined, or not known
            return {"threshold": math.nan, "at_floor": False}
        return {"threshold": self.oracle.threshold, "at_floor": self.oracle.at_floor}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores by group, "all" first, then the values of the columns `by` in the order of the ROIs.

    Attributes:
        threshold: The requested one; None if the points' own names were counted.
        by: The columns.
        level: Of the intervals.
        resamples, seed: Of the bootstrap; 0 resamples without intervals.
        written: Which scores the detections hold.
        groups: By name.
        rois: In the order of the data.
        mistakes: Of all ROIs.
        hotspots: Counts in hotspots, where they were asked for.
    """

    threshold: float | None
    by: tuple[str, ...]
    level: float
    resamples: int
    seed: int
    written: WrittenScores
    groups: Mapping[str, GroupScores]
    rois: tuple[RoiScores, ...]
    mistakes: tuple[Mistake, ...]
    hotspots: HotspotCounts | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/evaluation.schema.json describes each key."""
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
            "written": plain(self.written.to_dict()),
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
            "rois": [roi.to_dict() for roi in self.rois],
            "mistakes": [plain(vars(mistake)) for mistake in self.mistakes],
            **({"hotspots": self.hotspots.to_dict()} if self.hotspots else {}),
        }

    def to_csv(self) -> str:
        """A line per ROI, with a header; an empty cell where a value is undefined.

        A column of `by` that is named as a score, or as another of the ROI's own, is written as
        by_NAME. A quote is put before text that a spreadsheet would take for a formula.
        """
        text = io.StringIO()
        rows = [_as_cells(_flat(roi.to_dict())) for roi in self.rois]
        for row, counts in zip(rows, self.hotspots.rois if self.hotspots else (), strict=False):
            row |= {"hotspot_figures": counts.true, "hotspot_found": counts.detected}
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _as_cells(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose names and texts no spreadsheet takes for a formula; numbers stay."""
    return {
        spreadsheet_cell(name): spreadsheet_cell(value) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the values of the columns beside the scores, none of which they replace."""
    flat = {name: value for name, value in row.items() if name != "keys"}
    for column, value in row["keys"].items():
        name = column
        while name in flat:
            name = f"by_{name}"
        flat[name] = value
    return flat
