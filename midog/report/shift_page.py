"""The page of a domain-shift report: what a change of scanner costs, and how far apart the scanners
are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from midog.metrics.scanner_matrix import PUBLISHED_F1, PUBLISHED_SCANNERS
from midog.report import shift_charts as charts
from midog.report import shift_words as words
from midog.report.charts import to_svg
from midog.report.page import write_page
from midog.report.pictures import data_uri
from midog.report.shift_rows import (
    cells_by_scanner,
    listed,
    model_names,
    ordered_rows,
    ordered_scanners,
)
from midog.report.shift_tables import (
    HEADS,
    amounts,
    confounder_table,
    ordered_losses,
    published_means,
    statistics,
    swatches,
)
from midog.shift.distances import DIMS
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.halves import DRAWS, SLOW_DRAWS
from midog.shift.images import IMAGE_DISTANCES
from midog.shift.result import ShiftResult


@dataclass(frozen=True)
class Drawn:
    """A chart.

    Attributes:
        svg: The chart.
        rem: Width at which its letters are as large as the page's.
    """

    svg: Markup
    rem: float


def write_shift_page(path: Path, result: ShiftResult) -> None:
    """Write a domain-shift report as one HTML file that needs no other; the same input gives the
    same bytes.

    Raises:
        MidogError: If `path` cannot be written.
    """
    values = {
        "title": "Domain shift between scanners",
        "result": result,
        "level": words.per_cent(result.level),
        "unlabelled": listed(result.unlabelled),
        "heads": HEADS,
        "dims": DIMS,
        "draws": DRAWS,
        "slow_draws": SLOW_DRAWS,
        "charts": _charts(result),
        **_sentences(result),
        **_of_matrix(result),
        **_of_patches(result),
        **_of_distances(result),
    }
    write_page(path, "shift.html", values)


def _sentences(result: ShiftResult) -> dict[str, Any]:
    lead, *rest = words.summary(result)
    names = {name: head.name for name, head in HEADS.items()}
    return {
        "lead": lead,
        "rest": rest,
        "confounding": words.confounding(result) if result.confounders else "",
        "images_apart": words.apart(result, {name: names[name] for name in IMAGE_DISTANCES}),
        "features_apart": words.apart(result, {name: names[name] for name in FEATURE_DISTANCES}),
        "pairs_saturated": words.saturated([pair.distances["pad"] for pair in result.pairs]),
        "losses_saturated": words.saturated(
            [distances["pad"] for distances in result.loss_distances]
        ),
        "strongest": words.strongest(result, names),
    }


def _of_matrix(result: ShiftResult) -> dict[str, Any]:
    matrix = result.matrix
    return {
        "rows": ordered_rows(matrix),
        "names": model_names(matrix),
        "scanners": ordered_scanners(matrix),
        "basis": {name: words.basis(cells) for name, cells in cells_by_scanner(matrix).items()},
        "thresholds": [
            (row, scanner, row.cells[scanner].at_floor, row.cells[scanner])
            for row in ordered_rows(matrix)
            for scanner in ordered_scanners(matrix)
            if scanner in row.cells and not math.isnan(row.cells[scanner].oracle_f1.value)
        ],
        "published": PUBLISHED_F1,
        "published_scanners": PUBLISHED_SCANNERS,
        "published_means": published_means(),
        "confounders": [
            (confounder, *confounder_table(confounder)) for confounder in result.confounders
        ],
        "lost": ordered_losses(result),
    }


def _of_patches(result: ShiftResult) -> dict[str, Any]:
    return {
        "swatches": {scanner: swatches(stats) for scanner, stats in result.images.items()},
        "samples": {
            scanner: [data_uri(patch) for patch in patches]
            for scanner, patches in result.samples.items()
        },
        "statistics": statistics(result.images),
    }


def _of_distances(result: ShiftResult) -> dict[str, Any]:
    return {
        "image_heads": {name: HEADS[name] for name in IMAGE_DISTANCES},
        "feature_heads": {name: HEADS[name] for name in FEATURE_DISTANCES},
        "amounts": amounts(result),
    }


def _charts(result: ShiftResult) -> dict[str, Drawn]:
    drawn = _matrix_charts(result) | {
        "projection": (
            charts.projection(result.projection, result.unlabelled),
            "Features of patches in two dimensions, by scanner",
        ),
    }
    own, native = (
        np.array([getattr(loss, drop) for loss in result.losses])
        for drop in ("from_own", "from_native")
    )
    for name, head in HEADS.items() if result.losses else ():
        apart = np.array([distances[name] for distances in result.loss_distances])
        label = f"{head.name} ({head.unit})" if head.unit else head.name
        drawn[name] = (
            charts.loss_by_distance(apart, own, native, label),
            f"F1 lost against {head.name}",
        )
    return {
        name: Drawn(
            to_svg(figure, name=f"chart-{name.replace('_', '-')}", label=label),
            6.6 * figure.get_figwidth(),
        )
        for name, (figure, label) in drawn.items()
    }


def _matrix_charts(result: ShiftResult) -> dict[str, tuple[Figure, str]]:
    names = model_names(result.matrix)
    rows, scanners = ordered_rows(result.matrix), ordered_scanners(result.matrix)
    cells = [[row.cells.get(scanner) for scanner in scanners] for row in rows]
    f1 = np.array([[math.nan if cell is None else cell.f1.value for cell in row] for row in cells])
    seen = np.array([[cell is not None and cell.seen for cell in row] for row in cells])
    published = np.array(PUBLISHED_F1)
    own = np.eye(len(published), dtype=bool)
    gap = None if math.isnan(result.matrix.gap.value) else result.matrix.gap
    return {
        "heat": (
            charts.heat_map(f1, seen, [names[row.name] for row in rows], scanners),
            "Heat map of F1: models in rows, tested scanners in columns",
        ),
        "published": (
            charts.heat_map(published, own, PUBLISHED_SCANNERS, PUBLISHED_SCANNERS),
            "Heat map of the published F1 of MIDOG 2021",
        ),
        "drops": (
            charts.drops([(names[row.name], row.drop) for row in rows], gap),
            "F1 that each model loses on unseen scanners, with its interval",
        ),
    }
