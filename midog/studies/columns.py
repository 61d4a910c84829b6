"""COLUMNS: the scores of a study's table, each a measure at a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from midog.evaluation.measure import Measure
from midog.evaluation.measures import MEASURES
from midog.studies.study_settings import VAL

At = Literal["own", "transferred"]


@dataclass(frozen=True)
class Column:
    """A score in the table.

    Args:
        key: Its name in CSV and JSON.
        header: Of the column.
        measure: In MEASURES.
        at: The threshold at which detections count.
        about: What it is, for the page.
        decimals: Of its numbers.
        is_error: Lower is better.
    """

    key: str
    header: str
    measure: str
    at: At
    about: str
    decimals: int = 3
    is_error: bool = False

    @property
    def of(self) -> Measure:
        """The measure."""
        return MEASURES[self.measure]


_ALL = (
    Column("ap", "AP", "ap50", "own", "Average precision: how well scores rank, at no threshold."),
    Column(
        "f1",
        "F1",
        "f1",
        "own",
        "F1 at the detector's own threshold: the one stored with the model, which its training"
        " chose on val. Where several models detect as one, or a row states `detect`, it is chosen"
        " anew, on the val ROIs of the scanners that it was trained on.",
    ),
    Column(
        "f1_transferred",
        "F1 transferred",
        "f1",
        "transferred",
        "F1 at a threshold that was chosen on scanners which the model that scored them was not"
        " trained on: val ROIs of each scanner that the detector was trained on, scored by the"
        " row's detectors of the same seed that were trained without it.",
    ),
    Column(
        "f1_oracle",
        "F1 oracle",
        "oracle_f1",
        "own",
        "F1 at the best threshold for these very ROIs: an upper bound, not to be published as F1.",
    ),
    Column(
        "precision", "precision", "precision", "own", "Share of the detections that are figures."
    ),
    Column(
        "fp_per_mm2",
        "FP/mm²",
        "fp_per_mm2",
        "own",
        "False alarms per mm² of all ROIs.",
        decimals=2,
        is_error=True,
    ),
    Column(
        "figure_free_fp_per_mm2",
        "FP/mm², figure-free",
        "figure_free_fp_per_mm2",
        "own",
        "False alarms per mm² of the ROIs without a figure, where precision is 0 by definition.",
        decimals=2,
        is_error=True,
    ),
)

COLUMNS: dict[str, Column] = {column.key: column for column in _ALL}


def column_of(by: str) -> str:
    """The key of the column that `choose: {by: val F1}` names; "" where it names none, or a test
    set that must not choose."""
    test, _, header = by.partition(" ")
    names = {column.header: key for key, column in COLUMNS.items()} | {key: key for key in COLUMNS}
    return names.get(header, "") if test == VAL else ""
