"""The page of an evaluation: scores by group, curves, counts, calibration, and pictures of
mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from midog.data.roi import Roi
from midog.evaluation.groups import ALL
from midog.evaluation.measure import Measure
from midog.evaluation.measures import MAIN, MEASURES
from midog.evaluation.result import MISTAKES, Evaluation, Mistake
from midog.metrics.mistakes import (
    FALSE_ALARMS,
    MISS_DISTANCES,
    MISSED_BELOW,
    MISSED_TAKEN,
    MISSED_WHOLLY,
    NEAR_UM,
    OTHER_NAME,
)
from midog.report import evaluation_charts as charts
from midog.report.charts import MOST_STYLES, to_svg
from midog.report.evaluation_style import first_level
from midog.report.page import write_page
from midog.report.pictures import data_uri
from midog.report.worst_mistakes import WORST, crops_of, left_out, worst_by_group

_SORTS = 2  # of a group: false alarms and misses

TABLES = ("scores", "threshold", "figure-free", "errors", "agreement", "calibration")
"""Tables of the page that have a column for every measure that names them."""


@dataclass(frozen=True)
class Picture:
    """A mistake in a gallery.

    Attributes:
        mistake: The mistake.
        scanner: "" where it is not known.
        source: Data URI of its picture; None without an image.
    """

    mistake: Mistake
    scanner: str
    source: str | None


@dataclass(frozen=True)
class Gallery:
    """The worst mistakes of one kind, in all or of a group.

    Attributes:
        kind: One of MISTAKES, or a sort of them.
        title: Of the kind.
        words: A sentence about the kind.
        total: Number of mistakes of that kind.
        pictures: Of the worst.
        order: Which score is the worst, "highest" or "lowest"; "" where none is.
    """

    kind: str
    title: str
    words: str
    total: int
    pictures: tuple[Picture, ...]
    order: str

    @property
    def shown(self) -> list[Picture]:
        """Those with an image."""
        return [picture for picture in self.pictures if picture.source is not None]

    @property
    def hidden(self) -> list[Picture]:
        """Those without."""
        return [picture for picture in self.pictures if picture.source is None]


_KINDS = {
    "imposter": (
        "False alarms on a look-alike",
        "An annotated look-alike (imposter) lies within 7.5 µm.",
    ),
    "near imposter": (
        "False alarms near a look-alike",
        f"A look-alike lies within {NEAR_UM:g} µm.",
    ),
    "double": ("Figures detected twice", "The figure here was matched to another detection."),
    "nothing": (
        "False alarms on nothing annotated",
        f"No figure within 7.5 µm, no look-alike within {NEAR_UM:g} µm.",
    ),
    MISSED_WHOLLY: ("Missed: not detected at all", "No detection of any score lies within 7.5 µm."),
    MISSED_TAKEN: (
        "Missed: its detection went to another figure",
        "A detection that counts lies within 7.5 µm, but was matched to a figure beside this one.",
    ),
    MISSED_BELOW: (
        "Missed: detected, but not counted",
        "A detection lies within 7.5 µm, but its score is too low, or its name another.",
    ),
}
assert set(_KINDS) == set(MISTAKES), "each kind of mistake needs its words"


def write_evaluation_page(
    path: Path, result: Evaluation, rois: Sequence[Roi], *, title: str
) -> None:
    """Write all of an evaluation as one HTML file that needs no other; the same input gives the
    same bytes.

    Args:
        path: The file.
        result: The evaluation.
        rois: Those that were scored; if their images are on this machine, the worst mistakes of
            each kind are shown.
        title: Of the page.

    Raises:
        MidogError: If `path` cannot be written.
    """
    values = {
        "title": title,
        "result": result,
        "whole": result.groups[ALL],
        "measures": MEASURES,
        "main": MAIN,
        "tiles": sorted(
            (measure for measure in MEASURES.values() if measure.tile),
            key=lambda measure: measure.key != MAIN,
        ),
        "columns": {table: columns_of(table) for table in TABLES},
        "terms": [measure for measure in MEASURES.values() if measure.term],
        "kinds": MISTAKES,
        # if names do not count, none is another
        "distances": [
            distance
            for distance in MISS_DISTANCES
            if distance != OTHER_NAME or result.threshold is None
        ],
        "charts": _charts(result),
        "most_curves": MOST_STYLES,
        "most_rows": charts.MOST_ROWS,
        "first_level": len(first_level(result)),
        "galleries": galleries(result, rois),
        "group_galleries": group_galleries(result, rois),
        "groups_without_pictures": left_out(result),
    }
    write_page(path, "evaluation.html", values)


def columns_of(table: str) -> list[Measure]:
    """Return the measures that have a column in a table of the page, in their order."""
    columns = [measure for measure in MEASURES.values() if measure.page_table == table]
    return sorted(columns, key=lambda measure: measure.page_order)


def galleries(result: Evaluation, rois: Sequence[Roi]) -> list[Gallery]:
    """Return the worst mistakes of each kind: false alarms by falling score; misses without a
    detection, then those whose detection went to another figure, then the others by rising
    score."""
    worst = {kind: _worst(result.mistakes, kind) for kind in _KINDS}
    pictures = _pictures(
        [mistake for of_kind in worst.values() for mistake in of_kind], result, rois
    )
    return [
        Gallery(
            kind,
            *_KINDS[kind],
            result.groups[ALL].mistakes[kind],
            tuple(pictures[id(mistake)] for mistake in of_kind),
            _order(kind),
        )
        for kind, of_kind in worst.items()
    ]


def group_galleries(result: Evaluation, rois: Sequence[Roi]) -> list[Gallery]:
    """Return the worst false alarms and the worst misses of each group, with the annotated boxes;
    none where there is one group."""
    worst = worst_by_group(result)
    if len(worst) == _SORTS:
        return []
    pictures = _pictures([one for row in worst for one in row.mistakes], result, rois, boxes=True)
    return [
        Gallery(
            row.sort,
            f"{row.group}: {row.sort}",
            "" if row.is_alarms else "Those not detected at all come first.",
            row.total,
            tuple(pictures[id(mistake)] for mistake in row.mistakes),
            "highest" if row.is_alarms else "lowest",
        )
        for row in worst
    ]


def _order(kind: str) -> str:
    if kind in FALSE_ALARMS:
        return "highest"
    return "lowest" if kind == MISSED_BELOW else ""


def _worst(mistakes: Sequence[Mistake], kind: str) -> list[Mistake]:
    mine = [mistake for mistake in mistakes if mistake.kind == kind]
    if kind in FALSE_ALARMS:
        mine.sort(key=lambda mistake: -mistake.score)
    elif kind == MISSED_BELOW:
        mine.sort(key=lambda mistake: mistake.score)
    return mine[:WORST]


def _pictures(
    mistakes: Sequence[Mistake], result: Evaluation, rois: Sequence[Roi], *, boxes: bool = False
) -> dict[int, Picture]:
    """The picture of each mistake, by its id()."""
    return {
        id(mistake): Picture(mistake, roi.scanner, None if crop is None else data_uri(crop))
        for mistake, roi, crop in crops_of(mistakes, result, rois, boxes=boxes)
    }


def _charts(result: Evaluation) -> Mapping[str, Markup]:
    drawn: dict[str, tuple[Any, str]] = {}
    if not result.written.lack:
        drawn["threshold"] = (
            charts.threshold_cost(result),
            "F1, what the threshold loses, and what the ranking loses, by group",
        )
    drawn |= {
        "precision-recall": (
            charts.precision_recall(result),
            "Precision against recall at every threshold, by group",
        ),
        "froc-mm2": (
            charts.froc(result, "mm2"),
            "Recall against false positives per square millimetre, by group",
        ),
        "froc-roi": (
            charts.froc(result, "ROI"),
            "Recall against false positives per ROI, by group",
        ),
        "forest": (charts.forest(result), "F1 with its interval, by group"),
        "counts": (
            charts.counts_against_truth(result),
            "Detected against true figures per square millimetre, by ROI",
        ),
        "bland-altman": (
            charts.bland_altman(result),
            "Difference of detected and true figures against their mean, by ROI",
        ),
        "calibration": (
            charts.calibration(result),
            "Share of figures among detections against their score, in ten bins",
        ),
    }
    if result.hotspots is not None:
        drawn["hotspots"] = (
            charts.hotspot_counts(result),
            "Detected against true figures in the hotspot, by ROI",
        )
    return {
        name: to_svg(figure, name=f"chart-{name}", label=label)
        for name, (figure, label) in drawn.items()
    }
