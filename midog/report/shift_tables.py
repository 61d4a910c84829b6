"""The numbers of a domain-shift report as its tables hold them: distances, statistics, losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.metrics.scanner_matrix import PUBLISHED_F1, Loss
from midog.report.page import UNDEFINED, number
from midog.report.shift_rows import ordered_rows, ordered_scanners
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.images import IMAGE_DISTANCES, ImageStats
from midog.shift.result import Confounder, ShiftResult

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """The head of a distance in a table.

    Attributes:
        name: Of the distance.
        unit: "" without one.
        places: Decimals.
        source: Of its formula; "" without one.
        link: To the source.
        words: What the distance is.
    """

    name: str
    unit: str
    places: int
    source: str
    link: str
    words: str


@dataclass(frozen=True)
class Amount:
    """A number in a table with a bar behind it.

    Attributes:
        text: The number.
        per_cent: Length of the bar, of the largest in its column.
    """

    text: str
    per_cent: float


@dataclass(frozen=True)
class Swatch:
    """A colour.

    Attributes:
        name: What has it.
        colour: #rrggbb; None where it is not known.
    """

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
_PREFIXES = {"pad": "proxy A-distance: ", "frechet": "Frechet distance: "}
_ABOUT = IMAGE_DISTANCES | FEATURE_DISTANCES
HEADS = {
    name: Head(*named, _ABOUT[name].removeprefix(_PREFIXES.get(name, "")))
    for name, named in _NAMES.items()
}
"""By name of the distance, in the order of the tables."""


def published_means() -> tuple[float, float, float]:
    """Return the mean F1 of the published matrix on its diagonal and off it, and the difference."""
    f1 = np.array(PUBLISHED_F1)
    own = np.eye(len(f1), dtype=bool)
    on, off = float(f1[own].mean()), float(f1[~own].mean())
    return on, off, on - off


def confounder_table(confounder: Confounder) -> tuple[list[str], dict[str, list[Amount]]]:
    """Return the values of a column, those of most ROIs first, and by scanner the ROIs of each."""
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
    """Return the mean colour, and the colour of each stain alone at its 99th percentile."""
    through = 256 * 10 ** -(stats.stains * stats.concentrations[:, None]) - 1
    colours = (stats.rgb_mean, *through)
    return [
        Swatch(name, _hex(colour))
        for name, colour in zip(("mean", "haematoxylin", "eosin"), colours, strict=True)
    ]


def _hex(rgb: Values) -> str | None:
    if np.isnan(rgb).any():
        return None
    red, green, blue = (int(value) for value in np.clip(np.rint(rgb), 0, 255))
    return f"#{red:02x}{green:02x}{blue:02x}"


_STATISTICS: list[tuple[str, str, int, Callable[[ImageStats], Any]]] = [
    ("Patches", "", 0, lambda stats: stats.patches),
    ("Tissue", "% of pixels", 0, lambda stats: 100 * stats.tissue),
    ("Mean colour", "R G B, 0 to 255", 0, lambda stats: stats.rgb_mean),
    ("Mean colour", "L* a* b*", 1, lambda stats: stats.lab_mean),
    ("Haematoxylin vector", "OD in R G B, length 1", 2, lambda stats: stats.stains[0]),
    ("Eosin vector", "OD in R G B, length 1", 2, lambda stats: stats.stains[1]),
    ("Angle between the stains", "degrees", 1, lambda stats: stain_angle(stats)),
    (
        "Amount of haematoxylin, eosin",
        "OD, 99th percentile",
        2,
        lambda stats: stats.concentrations,
    ),
    ("Optical density, mean", "R G B", 2, lambda stats: stats.od_mean),
    ("Optical density, sd", "R G B", 2, lambda stats: stats.od_sd),
    ("Sharpness", "spectral slope; steeper is blurrier", 2, lambda stats: stats.sharpness),
]
"""Name, unit, decimals and value of each statistic."""


def statistics(images: Mapping[str, ImageStats]) -> list[tuple[str, str, list[str]]]:
    """Return the rows of the table of statistics: name, unit, and the text for each scanner."""
    return [
        (name, unit, [_text(value(stats), places) for stats in images.values()])
        for name, unit, places, value in _STATISTICS
    ]


def stain_angle(stats: ImageStats) -> float:
    """Return the degrees between haematoxylin and eosin; NaN where they are not known."""
    chord = float(np.linalg.norm(stats.stains[0] - stats.stains[1]))
    return math.degrees(2 * math.asin(min(chord / 2, 1.0)))


def _text(value: Any, places: int) -> str:
    """One number, or several with spaces between; one dash if all are NaN."""
    numbers = np.atleast_1d(np.asarray(value, np.float64))
    if np.isnan(numbers).all():
        return UNDEFINED
    return "  ".join(number(float(one), places) for one in numbers)


def amounts(result: ShiftResult) -> dict[tuple[str, ...], dict[str, Amount]]:
    """Return the distances of each pair (a, b), then those of the halves of each scanner (a,), by
    name, as text with bars.

    The bars of both are of one scale, so that a pair can be compared with the halves.
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
    """Return losses with their distances, in the order of the rows and columns of the matrix."""
    models = [row.name for row in ordered_rows(result.matrix)]
    scanners = ordered_scanners(result.matrix)
    both = zip(result.losses, result.loss_distances, strict=True)

    def place(one: tuple[Loss, Mapping[str, float]]) -> tuple[int, int]:
        return models.index(one[0].model), scanners.index(one[0].scanner)

    return sorted(both, key=place)


def _amount(value: float, column: Sequence[float], places: int) -> Amount:
    largest = max((one for one in column if not math.isnan(one)), default=0.0)
    share = value / largest if value > 0 else 0.0
    return Amount(number(value, places), 100 * share)
