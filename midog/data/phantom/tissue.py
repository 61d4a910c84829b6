"""Tissue of the phantom: the ground and all its cells, as concentrations of two stains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.phantom.cells import Tumour, lymphocyte, spindle_nucleus, tumour_nucleus
from midog.data.phantom.figures import IMPOSTERS, PHASES, Painter
from midog.data.phantom.ground import Ground, draw_ground
from midog.data.phantom.paint import FloatImage, Grain, smooth_noise
from midog.data.phantom.placing import (
    Points,
    apart,
    away_from,
    lattice,
    paint_window,
    values_at,
)

FIGURES_PER_ROI = (9, 15)
"""Mitotic figures, and as many imposters, in 1024 x 1024 px."""
BETWEEN_FIGURES_PX = 58.0
EDGE_PX = 14.0
"""Figures keep these distances from each other and from the image's edge."""


@dataclass(frozen=True)
class Tissue:
    """What one ROI holds.

    stain: (2, size, size) float32, haematoxylin and eosin, 0 or more.
    points: (N, 2) float64, centres x y of figures and imposters, px.
    labels: (N,) int64, 1 = mitotic figure, 2 = imposter.
    kinds: their phases and kinds, as PHASES and IMPOSTERS name them.
    """

    stain: FloatImage
    points: Points
    labels: NDArray[np.int64]
    kinds: tuple[str, ...]


def draw_tissue(rng: np.random.Generator, tumour: Tumour, size: int, with_figures: bool) -> Tissue:
    """Draw one ROI.

    Args:
        rng: draws all of it.
        tumour: the patient's.
        size: side, px.
        with_figures: False leaves mitotic figures out; imposters stay.
    """
    cells = lattice(rng, size, tumour.spacing)
    ground = draw_ground(rng, tumour, size, cells)
    grain = Grain(rng)
    in_nest = values_at(ground.depth, cells) > 0.3 * tumour.radius
    free = values_at(ground.gaps, cells) < 0.25
    nest_cells = cells[in_nest & free]
    points, labels, kinds = _place_figures(rng, nest_cells, size, with_figures)
    nest_cells = away_from(nest_cells, points, 40.0)
    stain = ground.stain
    for point in _stroma_cells(rng, tumour, ground, points):
        angle = float(values_at(ground.fibre_angle, point[None])[0])
        paint_window(stain, spindle_nucleus(rng, grain, angle), point)
    for point in nest_cells:
        paint_window(stain, tumour_nucleus(rng, tumour, grain), point)
    for point in _lymphocytes(rng, tumour, ground, points):
        paint_window(stain, lymphocyte(rng, grain), point)
    painters: dict[str, Painter] = {**PHASES, **IMPOSTERS}
    for point, kind in zip(points, kinds, strict=True):
        window = painters[kind](rng, tumour, grain)
        if rng.random() < 0.2:
            window.blur(rng.uniform(0.8, 1.6))
        paint_window(stain, window, point)
    _vary_density(rng, stain)
    return Tissue(np.maximum(stain, 0), points, labels, kinds)


def _place_figures(
    rng: np.random.Generator, cells: Points, size: int, with_figures: bool
) -> tuple[Points, NDArray[np.int64], tuple[str, ...]]:
    """Choose cells to be figures and imposters, far enough apart: points, labels, kinds."""
    share = (size / 1024) ** 2
    figures, imposters = (max(1, round(rng.uniform(*FIGURES_PER_ROI) * share)) for _ in range(2))
    labels = [MITOTIC_FIGURE] * (figures if with_figures else 0) + [IMPOSTER] * imposters
    whole = cells[((cells > EDGE_PX) & (cells < size - EDGE_PX)).all(axis=1)]
    chosen = apart(np.rint(rng.permutation(whole)), BETWEEN_FIGURES_PX)[: len(labels)]
    taken = rng.permutation(labels[: len(chosen)])  # where not all find room, figures come first
    names = {MITOTIC_FIGURE: list(PHASES), IMPOSTER: list(IMPOSTERS)}
    kinds = tuple(str(rng.choice(names[int(label)])) for label in taken)
    return chosen, taken, kinds


def _stroma_cells(
    rng: np.random.Generator, tumour: Tumour, ground: Ground, points: Points
) -> Points:
    cells = lattice(rng, len(ground.depth), 46.0)
    keep = (
        (values_at(ground.depth, cells) < -6)
        & (values_at(ground.gaps, cells) < 0.6)
        & (rng.random(len(cells)) < 0.6)
    )
    return away_from(cells[keep], points, 40.0)


def _lymphocytes(
    rng: np.random.Generator, tumour: Tumour, ground: Ground, points: Points
) -> Points:
    """Crowds of lymphocytes in the stroma, a few strays in the nests."""
    size = len(ground.depth)
    cells = lattice(rng, size, 24.0)
    crowd = values_at(smooth_noise(rng, size, 100), cells) > 2.2 - 1.2 * tumour.lymphocytes
    depth = values_at(ground.depth, cells)
    chance = np.where(depth < -8, np.where(crowd, 0.75, 0.02), 0.006) * (depth < 200)
    keep = (rng.random(len(cells)) < chance) & (values_at(ground.gaps, cells) < 0.6)
    return away_from(cells[keep], points, 40.0)


def _vary_density(rng: np.random.Generator, stain: FloatImage) -> None:
    """Sections are not equally thick nor equally stained all over."""
    for channel, amount in enumerate((0.06, 0.08)):
        stain[channel] *= np.clip(1 + amount * smooth_noise(rng, stain.shape[1], 300), 0.7, 1.3)
