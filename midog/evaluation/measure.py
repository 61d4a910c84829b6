"""Measure: one score of a group of ROIs, with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.points import Values

Part = Literal["all", "figure-free", "with figures"]
"""ROIs of a group: all, those without a true figure, those with one."""


@dataclass(frozen=True)
class Measure:
    """One score of a group of ROIs: all that is known of it.

    Attributes:
        key: Its name in JSON, and in the table of `midog compare`.
        value: The score of a group; NaN where it is undefined.
        resample: The score in each of B resamples, (B,) float64; NaN where it is undefined.
        description: What it is, for the JSON schema: a sentence.
        low: The least it can be; None: there is no limit.
        high: The most it can be; None: there is no limit.
        part: Of which ROIs of a group it is: all, those without a true figure, those with one. Its
            resamples are of the patients of these.
        every_score: It asks for every score, down to a floor below the threshold: NaN where the
            detections do not hold them.
        json_path: Where it stands in the JSON of a group; (): under its key.
        compared: What models are compared by, for the JSON schema, after "Of …"; "": they are not
            compared by it.
        table: Header of its column in the table of `midog evaluate`; "": it has none.
        page_table: The table of the HTML page in which it has a column; "": it has none, or the
            page gives it a place of its own.
        header: Header of that column.
        page_order: Columns of a table stand by it, of equals in the order of MEASURES.
        decimals: Of its numbers on the page.
        signed: Its numbers on the page have a sign.
        tile: Its name among the few numbers at the top of the page; "": it is not among them.
        term: What the page explains it as; "": nothing.
        explanation: The explanation, in HTML.
    """

    key: str
    value: Callable[[MatchedRois], float]
    resample: Callable[[Resamples], Values]
    description: str
    low: float | None = 0
    high: float | None = None
    part: Part = "all"
    every_score: bool = False
    json_path: tuple[str, ...] = ()
    compared: str = ""
    table: str = ""
    page_table: Literal[
        "", "scores", "threshold", "figure-free", "errors", "agreement", "calibration"
    ] = ""
    header: str = ""
    page_order: int = 0
    decimals: int = 3
    signed: bool = False
    tile: str = ""
    term: str = ""
    explanation: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the JSON of a group."""
        return self.json_path or (self.key,)
