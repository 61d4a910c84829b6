"""The result of an evaluation of a classifier of patches, as plain JSON types and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midog._version import __version__
from midog.data.csv_text import spreadsheet_cell
from midog.json_text import plain
from midog.metrics.bootstrap import Interval
from midog.metrics.calibration import Reliability
from midog.metrics.two_classes import RocCurve

PATCH_SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""


@dataclass(frozen=True)
class PatchScore:
    """What a classifier says of one patch.

    number: its place in the data. name: as the data name it. slide: "" where it is not known.
    positive: it is of the second class. score: in [0, 1], the probability of that class.
    """

    number: int
    name: str
    slide: str
    positive: bool
    score: float


@dataclass(frozen=True, eq=False)
class PatchGroup:
    """Scores of some patches together.

    keys: values of the columns, none for "all". patches, positives: numbers. slides: number, or of
    patches where slides are not known. tp, fp, fn, tn: at the threshold. intervals: of
    PATCH_MEASURES by key, value and limits, which are NaN without resamples. roc: at every
    threshold. calibration: of the scores.
    """

    keys: Mapping[str, str]
    patches: int
    slides: int
    positives: int
    tp: int
    fp: int
    fn: int
    tn: int
    intervals: Mapping[str, Interval]
    roc: RocCurve
    calibration: Reliability

    def to_dict(self, with_intervals: bool) -> dict[str, Any]:
        """Plain JSON types; docs/patches.schema.json describes each key."""
        limits = {key: [one.low, one.high] for key, one in self.intervals.items()}
        tree: dict[str, Any] = plain(
            {
                "keys": dict(self.keys),
                "patches": self.patches,
                "slides": self.slides,
                "positives": self.positives,
                "tp": self.tp,
                "fp": self.fp,
                "fn": self.fn,
                "tn": self.tn,
                **{key: one.value for key, one in self.intervals.items()},
                "intervals": limits if with_intervals else {},
                "roc": {
                    # none above the first point: nothing is taken for positive there
                    "threshold": [None, *self.roc.thresholds[1:].tolist()],
                    "false_positive_rate": self.roc.false_positive_rate,
                    "true_positive_rate": self.roc.true_positive_rate,
                },
                "calibration": {
                    key: value for key, value in vars(self.calibration).items() if key != "ece"
                },
            }
        )
        return tree


@dataclass(frozen=True, eq=False)
class PatchEvaluation:
    """Scores of a classifier of patches by group, "all" first.

    model: its folder. data: of the patches, for titles. subset: train, val or test. classes: names
    of labels 0 and 1; the second is "positive". threshold: the least probability of the second
    class. threshold_from: "val", where it was chosen in training, or "given". by: columns of the
    groups. unit: what the bootstrap draws, "slide", or "patch" where slides are not known. level,
    resamples, seed: of the bootstrap. side: of the patches, px.
    """

    model: str
    data: str
    subset: str
    classes: tuple[str, str]
    threshold: float
    threshold_from: str
    by: tuple[str, ...]
    unit: str
    level: float
    resamples: int
    seed: int
    side: int
    groups: Mapping[str, PatchGroup]
    patches: tuple[PatchScore, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/patches.schema.json describes each key."""
        return {
            "schema_version": PATCH_SCHEMA_VERSION,
            "midog": __version__,
            "model": self.model,
            "data": self.data,
            "subset": self.subset,
            "classes": list(self.classes),
            "side": self.side,
            "threshold": self.threshold,
            "threshold_from": self.threshold_from,
            "by": list(self.by),
            "bootstrap": {
                "unit": self.unit,
                "level": self.level,
                "resamples": self.resamples,
                "seed": self.seed,
            },
            "groups": {
                name: group.to_dict(self.resamples > 0) for name, group in self.groups.items()
            },
        }

    def to_csv(self) -> str:
        """A line per patch, with a header: name, slide, class, and the second class's probability.

        A quote is put before text that a spreadsheet would take for a formula.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["patch", "slide", "class", "probability", "taken_for"])
        for one in self.patches:
            taken = self.classes[one.score >= self.threshold]
            cells = [one.name, one.slide, self.classes[one.positive], f"{one.score:.6g}", taken]
            writer.writerow([spreadsheet_cell(cell) for cell in cells])
        return text.getvalue()
