"""The page of a classifier of patches: scores, ROC, calibration, and the most wrong patches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.evaluation.groups import ALL
from midog.evaluation.patch_measures import PATCH_MEASURES
from midog.evaluation.patch_result import PatchEvaluation, PatchScore
from midog.loading.crops import CropSource
from midog.report import patches_charts as charts
from midog.report.charts import MOST_STYLES, to_svg
from midog.report.page import write_page
from midog.report.pictures import data_uri

WORST = 16
"""Pictures of each gallery."""


@dataclass(frozen=True)
class WrongPatch:
    """A patch on the wrong side of the threshold, with its picture as a data URI."""

    patch: PatchScore
    source: str


@dataclass(frozen=True)
class WrongPatches:
    """The most wrong patches of a class.

    name: of the class. taken_for: the other one. total: that are wrong, shown or not.
    """

    name: str
    taken_for: str
    total: int
    worst: tuple[WrongPatch, ...]


def write_patches_page(path: Path, result: PatchEvaluation, crops: CropSource) -> None:
    """Write all of an evaluation as one HTML file that needs no other; the same input gives the
    same bytes.

    Args:
        path: The file.
        result: The evaluation.
        crops: The patches that were scored, in its order.

    Raises:
        MidogError: If `path` cannot be written.
    """
    drawn = {
        "roc": (charts.roc(result), "Sensitivity against 1 - specificity at every threshold"),
        "calibration": (
            charts.reliability_diagram(result),
            "Share of positives against probability, in ten bins",
        ),
        "histogram": (charts.histogram(result), "Probabilities of the patches of each class"),
    }
    values = {
        "title": f"Patches of {result.data}",
        "result": result,
        "whole": result.groups[ALL],
        "measures": PATCH_MEASURES,
        "charts": {
            name: to_svg(figure, name=f"chart-{name}", label=label)
            for name, (figure, label) in drawn.items()
        },
        "most_curves": MOST_STYLES,
        "galleries": [wrong_patches(result, crops, positive=side) for side in (False, True)],
    }
    write_page(path, "patches.html", values)


def wrong_patches(result: PatchEvaluation, crops: CropSource, *, positive: bool) -> WrongPatches:
    """Return the patches of a class on the wrong side of the threshold, the farthest first.

    Args:
        result: The evaluation.
        crops: The patches that were scored, in its order.
        positive: Of the second class.
    """
    wrong = [
        one
        for one in result.patches
        if one.positive == positive and (one.score >= result.threshold) != positive
    ]
    wrong.sort(key=lambda one: one.score if positive else -one.score)
    shown = []
    for one in wrong[:WORST]:
        pixels = np.empty((crops.side, crops.side, 3), np.uint8)
        crops.cut(one.number, pixels)
        shown.append(WrongPatch(one, data_uri(pixels, "png")))
    names = result.classes
    return WrongPatches(names[positive], names[not positive], len(wrong), tuple(shown))
