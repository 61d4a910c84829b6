"""The page of a domain-shift report: what a change of scanner costs, and how far apart the scanners
are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from midog.metrics.scanner_matrix import PUBLISHED_F1, PUBLISHED_SCANNERS, Loss
from midog.report import shift_charts as charts
from midog.report import shift_words as words
from midog.report.charts import to_svg
from midog.report.page import UNDEFINED, number, write_page
from midog.report.pictures import data_uri
from midog.shift.distances import DIMS
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.halves import DRAWS, SLOW_DRAWS
from midog.shift.images import IMAGE_DISTANCES, ImageStats
from midog.shift.result import Confounder, ShiftResult

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A chart and the width at which its letters are as large as the page's, in rem."""

    svg: Markup
    rem: float


@dataclass(frozen=True)
class Head:
    """How a distance is called and written. places: decimals. source, link: of its formula. words:
    what it is."""

    name: str
    unit: str
    places: int
    source: str
    link: str
    words: str


@dataclass(frozen=True)
class Amount:
    """A number in a table with a bar behind it. per_cent: length of the bar, of the largest in its
    column."""

    text: str
    per_cent: float


@dataclass(frozen=True)
class Swatch:
    """A colour and what has it. colour: #rrggbb, or None where it is not known."""

    name: str
    colour: str | None


_BEN_DAVID = (
    "https://proceedings.neurips.cc/paper/2006/hash/b1b0432ceafb0ce714426e9114852ac7-Abstract.html"
)
_NAMES = {
    "stain_angle_deg": ("Stain vectors", "°", 1, "", ""),
    "od_wasserstein": ("Optical density", "OD", 3, "", ""),
    "colour_delta_e": ("Mean colour", "ΔE", 1, "", ""),
    "sharpness_difference": ("Sharpness", "slope", 2, "", ""),
    "pad": ("Proxy A-distance", "0 to 2", 2, "Ben-David et al. 2007", _BEN_DAVID),
    "frechet": (
        "Fréchet distance",
        "",
        1,
        "Heusel et al. 2017",
        "https://arxiv.org/abs/1706.08500",
    ),
    "mmd": ("MMD²", "", 3, "Gretton et al. 2012", "https://jmlr.org/papers/v13/gretton12a.html"),
}
_SAYS_ITS_NAME = {"pad": "proxy A-distance: ", "frechet": "Frechet distance: "}
_ABOUT = IMAGE_DISTANCES | FEATURE_DISTANCES
HEADS = {
    name: Head(*named, _ABOUT[name].removeprefix(_SAYS_ITS_NAME.get(name, "")))
    for name, named in _NAMES.items()
}
"""Of each distance, in the order in which they are shown."""


def write_shift_page(path: Path, result: ShiftResult) -> None:
    """Write a domain-shift report as one HTML file that needs nothing beside it; the same input
    gives the same bytes.

    Raises MidogError where `path` cannot be written.
    """
    matrix = result.matrix
    lead, *rest = words.summary(result)
    values = {
        "title": "Domain shift between scanners",
        "result": result,
        "lead": lead,
        "rest": rest,
        "rows": words.ordered_rows(matrix),
        "names": words.model_names(matrix),
        "scanners": words.ordered_scanners(matrix),
        "basis": {
            name: words.basis(cells) for name, cells in words.cells_by_scanner(matrix).items()
        },
        "level": words.per_cent(result.level),
        "unlabelled": words.listed(result.unlabelled),
        "confounding": words.confounding(result) if result.confounders else "",
        "published": PUBLISHED_F1,
        "published_scanners": PUBLISHED_SCANNERS,
        "published_means": published_means(),
        "confounders": [(each, *confounder_table(each)) for each in result.confounders],
        "swatches": {scanner: swatches(each) for scanner, each in result.images.items()},
        "samples": {
            scanner: [data_uri(patch) for patch in patches]
            for scanner, patches in result.samples.items()
        },
        "statistics": statistics(result.images),
        "heads": HEADS,
        "image_heads": {name: HEADS[name] for name in IMAGE_DISTANCES},
        "feature_heads": {name: HEADS[name] for name in FEATURE_DISTANCES},
        "amounts": amounts(result),
        "images_apart": words.apart(result, {name: HEADS[name].name for name in IMAGE_DISTANCES}),
        "features_apart": words.apart(
            result, {name: HEADS[name].name for name in FEATURE_DISTANCES}
        ),
        "pairs_saturated": words.saturated([pair.distances["pad"] for pair in result.pairs]),
        "losses_saturated": words.saturated([each["pad"] for each in result.loss_distances]),
        "lost": ordered_losses(result),
        "dims": DIMS,
        "draws": DRAWS,
        "slow_draws": SLOW_DRAWS,
        "strongest": words.strongest(result, {name: head.name for name, head in HEADS.items()}),
        "charts": _charts(result),
    }
    write_page(path, "shift.html", values)


def published_means() -> tuple[float, float, float]:
    """Mean F1 of the published matrix on its diagonal and off it, and the difference."""
    f1 = np.array(PUBLISHED_F1)
    own = np.eye(len(f1), dtype=bool)
    on, off = float(f1[own].mean()), float(f1[~own].mean())
    return on, off, on - off


def confounder_table(confounder: Confounder) -> tuple[list[str], dict[str, list[Amount]]]:
    """The values of a column, those of most ROIs first, and by scanner how many ROIs have each."""
    totals: dict[str, int] = {}
    for mix in confounder.table.values():
        for value, rois in mix.items():
            totals[value] = totals.get(value, 0) + rois
    values = sorted(totals, key=lambda value: -totals[value])
    rows = {}
    for scanner, mix in confounder.table.items():
        whole = sum(mix.values())
        rows[scanner] = [
            Amount(f"{mix.get(value, 0):,}", 100 * mix.get(value, 0) / whole) for value in values
        ]
    return values, rows


def swatches(stats: ImageStats) -> list[Swatch]:
    """The mean colour, and what each stain alone looks like where there is much of it (its 99th
    percentile)."""
    through = 256 * 10 ** -(stats.stains * stats.concentrations[:, None]) - 1
    colours = (stats.rgb_mean, *through)
    return [
        Swatch(name, _hex(colour))
        for name, colour in zip(("mean", "haematoxylin", "eosin"), colours, strict=True)
    ]


def _hex(rgb: Values) -> str | None:
    if np.isnan(rgb).any():
        return None
    red, green, blue = (int(each) for each in np.clip(np.rint(rgb), 0, 255))
    return f"#{red:02x}{green:02x}{blue:02x}"


def statistics(images: Mapping[str, ImageStats]) -> list[tuple[str, str, list[str]]]:
    """Rows of the table of statistics: name, unit, and the text for each scanner."""
    rows: list[tuple[str, str, list[str]]] = []
    every = list(images.values())

    def add(name: str, unit: str, values: Sequence[Any], places: int) -> None:
        rows.append((name, unit, [_triple(value, places) for value in values]))

    add("Patches", "", [each.patches for each in every], 0)
    add("Tissue", "% of pixels", [100 * each.tissue for each in every], 0)
    add("Mean colour", "R G B, 0 to 255", [each.rgb_mean for each in every], 0)
    add("Mean colour", "L* a* b*", [each.lab_mean for each in every], 1)
    add("Haematoxylin vector", "OD in R G B, length 1", [each.stains[0] for each in every], 2)
    add("Eosin vector", "OD in R G B, length 1", [each.stains[1] for each in every], 2)
    add("Angle between the stains", "degrees", [stain_angle(each) for each in every], 1)
    add(
        "Amount of haematoxylin, eosin",
        "OD, 99th percentile",
        [each.concentrations for each in every],
        2,
    )
    add("Optical density, mean", "R G B", [each.od_mean for each in every], 2)
    add("Optical density, sd", "R G B", [each.od_sd for each in every], 2)
    add("Sharpness", "spectral slope; steeper is blurrier", [each.sharpness for each in every], 2)
    return rows


def stain_angle(stats: ImageStats) -> float:
    """Degrees between haematoxylin and eosin; NaN where they are not known."""
    chord = float(np.linalg.norm(stats.stains[0] - stats.stains[1]))
    return math.degrees(2 * math.asin(min(chord / 2, 1.0)))


def _triple(value: Any, places: int) -> str:
    """One number, or several with spaces between; one dash where all are NaN."""
    numbers = np.atleast_1d(np.asarray(value, np.float64))
    if np.isnan(numbers).all():
        return UNDEFINED
    return "  ".join(number(float(each), places) for each in numbers)


def amounts(result: ShiftResult) -> dict[tuple[str, ...], dict[str, Amount]]:
    """The distances of each pair (a, b), then those of the halves of each scanner (a,), by name, as
    text with bars.

    The bars of both are of one scale, so that a pair can be held against the halves.
    """
    rows: dict[tuple[str, ...], Mapping[str, float]] = {
        (pair.a, pair.b): pair.distances for pair in result.pairs
    }
    rows |= {(scanner,): distances for scanner, distances in result.within.items()}
    columns = {name: [distances[name] for distances in rows.values()] for name in HEADS}
    return {
        row: {
            name: _amount(distances[name], columns[name], head.places)
            for name, head in HEADS.items()
        }
        for row, distances in rows.items()
    }


def ordered_losses(result: ShiftResult) -> list[tuple[Loss, Mapping[str, float]]]:
    """Losses with their distances, in the order of the rows and columns of the matrix."""
    models = [row.name for row in words.ordered_rows(result.matrix)]
    scanners = words.ordered_scanners(result.matrix)
    both = zip(result.losses, result.loss_distances, strict=True)
    return sorted(
        both, key=lambda each: (models.index(each[0].model), scanners.index(each[0].scanner))
    )


def _amount(value: float, column: Sequence[float], places: int) -> Amount:
    largest = max((each for each in column if not math.isnan(each)), default=0.0)
    share = value / largest if value > 0 else 0.0
    return Amount(number(value, places), 100 * share)


def _charts(result: ShiftResult) -> dict[str, Drawn]:
    names = words.model_names(result.matrix)
    rows, scanners = words.ordered_rows(result.matrix), words.ordered_scanners(result.matrix)
    mine = [[row.cells.get(scanner) for scanner in scanners] for row in rows]
    f1 = np.array([[math.nan if cell is None else cell.f1.value for cell in row] for row in mine])
    seen = np.array([[cell is not None and cell.seen for cell in row] for row in mine])
    theirs = np.array(PUBLISHED_F1)
    gap = None if math.isnan(result.matrix.gap.value) else result.matrix.gap
    drawn: dict[str, tuple[Figure, str]] = {
        "heat": (
            charts.heat_map(f1, seen, [names[row.name] for row in rows], scanners),
            "Heat map of F1: models in rows, tested scanners in columns",
        ),
        "published": (
            charts.heat_map(
                theirs, np.eye(len(theirs), dtype=bool), PUBLISHED_SCANNERS, PUBLISHED_SCANNERS
            ),
            "Heat map of the published F1 of MIDOG 2021",
        ),
        "drops": (
            charts.drops([(names[row.name], row.drop) for row in rows], gap),
            "F1 that each model loses on unseen scanners, with its interval",
        ),
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
        apart = np.array([each[name] for each in result.loss_distances])
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
