"""Tissue of the phantom: tumour nests, stroma, gaps and all their cells as concentrations of two
stains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.phantom.cells import (
    IMPOSTERS,
    PHASES,
    Painter,
    Tumour,
    lymphocyte,
    spindle_nucleus,
    tumour_nucleus,
)
from midog.data.phantom.paint import FloatImage, Grain, Window, inside, outline, smooth_noise

Points = NDArray[np.float64]
FIGURES_PER_ROI = (9, 15)
"""Mitotic figures, and as many imposters, in 1024 x 1024 px."""
BETWEEN_FIGURES_PX = 58.0
EDGE_PX = 14.0
"""Figures keep these distances from each other and from the image's edge."""


@dataclass(frozen=True)
class Tissue:
    """What one ROI holds.

    stain: (2, size, size) float32, haematoxylin and eosin.
    points: (N, 2) float64, centres x y of figures and imposters, px; labels: (N,) int64, 1 figure,
    2 imposter.
    kinds: their phases and kinds, as PHASES and IMPOSTERS name them.
    """

    stain: FloatImage
    points: Points
    labels: NDArray[np.int64]
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class _Ground:
    """Maps (size, size) float32 that cells are placed by: depth into a nest (px), gaps (0 to 1),
    course of fibres."""

    stain: FloatImage
    depth: FloatImage
    gaps: FloatImage
    fibre_angle: FloatImage


def draw_tissue(rng: np.random.Generator, look: Tumour, size: int, with_figures: bool) -> Tissue:
    """One ROI of size x size px of that tumour; `with_figures` False leaves mitotic figures out,
    imposters in."""
    cells = _lattice(rng, size, look.spacing)
    ground = _draw_ground(rng, look, size, cells)
    grain = Grain(rng)
    in_nest = _at(ground.depth, cells) > 0.3 * look.radius
    free = _at(ground.gaps, cells) < 0.25
    nest_cells = cells[in_nest & free]
    points, labels, kinds = _place_figures(rng, nest_cells, size, with_figures)
    nest_cells = _away_from(nest_cells, points, 40.0)
    stain = ground.stain
    for point in _stroma_cells(rng, look, ground, points):
        angle = float(_at(ground.fibre_angle, point[None])[0])
        _paint(stain, spindle_nucleus(rng, grain, angle), point)
    for point in nest_cells:
        _paint(stain, tumour_nucleus(rng, look, grain), point)
    for point in _lymphocytes(rng, look, ground, points):
        _paint(stain, lymphocyte(rng, grain), point)
    painters: dict[str, Painter] = {**PHASES, **IMPOSTERS}
    for point, kind in zip(points, kinds, strict=True):
        window = painters[kind](rng, look, grain)
        if rng.random() < 0.2:
            window.blur(rng.uniform(0.8, 1.6))
        _paint(stain, window, point)
    _vary_density(rng, stain)
    return Tissue(np.maximum(stain, 0), points, labels, kinds)


def _draw_ground(rng: np.random.Generator, look: Tumour, size: int, cells: Points) -> _Ground:
    depth = _nests(rng, look, size)
    nest = inside(depth, 3)
    stroma, angle, stroma_gaps = _stroma(rng, look, nest)
    cytoplasm, cell_gaps = _cytoplasm(rng, look, size, cells)
    stain = cytoplasm * nest + stroma * (1 - nest)
    border = np.exp(-(((depth + 5) / 3.5) ** 2))  # the stroma is denser along the nests
    stain[1] += border * 0.10
    cleft_gate = inside(smooth_noise(rng, size, 70) - 0.9, 0.5)
    cleft = np.exp(-(((depth + 1) / 3.5) ** 4)) * cleft_gate
    gaps = np.maximum(cleft, np.maximum(cell_gaps * nest, stroma_gaps * (1 - nest)))
    _open_holes(rng, gaps, depth)
    stain *= 1 - gaps
    rim = inside(gaps, 0.8) * inside(0.75 - gaps, 0.5)
    stain[1] += rim * 0.14
    stain[0] += rim * 0.05
    return _Ground(stain, depth, gaps, angle)


def _nests(rng: np.random.Generator, look: Tumour, size: int) -> FloatImage:
    """Signed depth into the tumour nests, px, exact near their borders."""
    field = smooth_noise(rng, size, look.nest) + 0.35 * smooth_noise(rng, size, look.nest / 3)
    field += 0.05 * smooth_noise(rng, size, 14)
    field -= np.quantile(field[::8, ::8], 1 - look.share)
    dy, dx = np.gradient(field)
    steep = ndimage.uniform_filter(np.hypot(dx, dy), 15)
    return np.asarray(np.clip(field / (steep + 0.003), -200, 200), np.float32)


def _stroma(
    rng: np.random.Generator, look: Tumour, nest: FloatImage
) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Wavy bundles of collagen: stain (2, size, size), angle of the fibres, gaps between them."""
    size, course = len(nest), rng.uniform(0, np.pi)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    cos, sin = math.cos(course), math.sin(course)
    along, across = x * cos + y * sin, y * cos - x * sin
    across += 26 * smooth_noise(rng, size, 150) + 5 * smooth_noise(rng, size, 38)
    across += 55 * ndimage.gaussian_filter(nest, 16, truncate=2.5)  # fibres bend along the nests
    dy, dx = np.gradient(across)
    angle = np.arctan2(dy, dx) + np.pi / 2
    bundle = _streaks(rng, along, across, 60, 10)
    fibril = _streaks(rng, along, across, 14, 2.8)
    speckle = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), 1) * 3.5
    loose = smooth_noise(rng, size, 110)
    sparse = 0.55 * loose - bundle - 0.5 * fibril - 0.25 * speckle
    gaps = inside(sparse - 1.5, 1.8) * 0.9
    tone = 1 + 0.15 * bundle + 0.13 * fibril + 0.12 * speckle
    tone = np.maximum(tone - 0.15 * np.clip(loose, -1, 2), 0.15)
    eosin = look.collagen * tone
    haematoxylin = 0.06 * tone
    return np.stack([haematoxylin, eosin]), angle, gaps


def _streaks(
    rng: np.random.Generator, along: FloatImage, across: FloatImage, length: float, width: float
) -> FloatImage:
    """Noise of deviation about 1 drawn out along a course: a table read at (across / width, along /
    length)."""
    side = 512
    table = rng.standard_normal((side, side), dtype=np.float32)
    rows = np.mod(across / width, side)
    columns = np.mod(along / length, side)
    read = ndimage.map_coordinates(table, (rows, columns), order=1, mode="grid-wrap")
    return np.asarray(read * 1.5, np.float32)


def _cytoplasm(
    rng: np.random.Generator, look: Tumour, size: int, cells: Points
) -> tuple[FloatImage, FloatImage]:
    """Cytoplasm as if all were tumour: stain (2, size, size), and the gaps between cells and
    vacuoles in them."""
    owner = _owners(rng, size, cells)
    tint = np.clip(rng.normal(1, 0.2, (2, len(cells))), 0.5, 1.6).astype(np.float32)
    borders = sum(np.diff(owner, axis=axis, append=owner.take([-1], axis)) != 0 for axis in (0, 1))
    borders = np.minimum(borders, 1).astype(np.float32)
    membrane = ndimage.gaussian_filter(borders, 1.2) * 2.6
    fine = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), 1.1) * 3.9
    web = smooth_noise(rng, size, 5)
    cloud = smooth_noise(rng, size, 24)
    texture = np.maximum(1 + 0.16 * fine + 0.24 * web + 0.16 * cloud, 0.15)
    line = membrane * np.clip(0.6 + 0.5 * cloud, 0, 1)
    haematoxylin = look.cytoplasm_h * texture * tint[0][owner] + line * 0.06
    eosin = look.cytoplasm_e * texture * tint[1][owner] + line * 0.16
    patchy = smooth_noise(rng, size, 90)
    foam = inside(smooth_noise(rng, size, 6.5) + 0.6 * patchy - 2.5 + 1.2 * look.foamy, 1.0)
    shrunk = ndimage.gaussian_filter(borders, 1.8) * 4.4
    gate = 0.5 * patchy + 0.8 * smooth_noise(rng, size, 32) + look.foamy - 1.1
    slits = inside(shrunk * np.clip(gate, 0, 1) * (1 + 0.3 * web) - 0.4, 0.7)
    return np.stack([haematoxylin, eosin]), np.maximum(foam * 0.7, slits * 0.85)


def _owners(rng: np.random.Generator, size: int, cells: Points) -> NDArray[np.int64]:
    """Index (size, size) of the cell that each px belongs to: the nearest one, with wavy
    borders."""
    half = size // 2 + 1
    seeds = np.zeros((half, half), np.int64)
    at = np.clip(np.rint(cells / 2).astype(np.int64), 0, half - 1)
    seeds[at[:, 1], at[:, 0]] = np.arange(1, len(cells) + 1)
    _, (rows, columns) = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    nearest = seeds[rows, columns] - 1
    y, x = np.mgrid[:size, :size].astype(np.float32) / 2
    wave = [2.2 * smooth_noise(rng, size, 18) for _ in range(2)]
    rows, columns = (
        np.clip(np.rint(c + w), 0, half - 1).astype(np.int64)
        for c, w in zip((y, x), wave, strict=True)
    )
    return np.asarray(nearest[rows, columns])


def _open_holes(rng: np.random.Generator, gaps: FloatImage, depth: FloatImage) -> None:
    """Adds lumina and, in some ROIs, a group of fat cells to the gaps (size, size), in place."""
    size = len(gaps)
    area = (size / 1024) ** 2
    holes = [
        (rng.uniform(0, size, 2), rng.uniform(9, 30), 0.22) for _ in range(rng.poisson(5 * area))
    ]
    if rng.random() < 0.4 * min(area, 1):
        stroma = rng.permutation(_lattice(rng, size, 30.0))
        stroma = stroma[_at(depth, stroma) < -20]
        near = np.hypot(*(stroma - stroma[:1]).T) < 170
        holes += [(place, rng.uniform(40, 46), 0.04) for place in _apart(stroma[near], 92.0)]
    for centre, radius, rough in holes:
        window = Window(int(4 * radius))
        along, across = window.turned(rng.uniform(0, np.pi))
        hole = outline(
            rng,
            along,
            across,
            (radius, radius * rng.uniform(0.5 if rough > 0.1 else 0.92, 1)),
            rough,
        )
        window.stain[:] = inside(hole, 4)
        _paint(gaps[None], window, centre)


def _lattice(rng: np.random.Generator, size: int, spacing: float) -> Points:
    """Cell centres (N, 2) x y about `spacing` px apart, also just beyond the edge: a jittered, bent
    honeycomb."""
    steps = np.arange(-1.5, size / spacing + 2.5)
    rows, columns = np.meshgrid(np.arange(-2, size / (spacing * 0.866) + 3), steps, indexing="ij")
    points = np.stack([columns + 0.5 * (rows % 2), rows * 0.866], axis=-1).reshape(-1, 2) * spacing
    points += rng.normal(0, 0.14 * spacing, points.shape)
    bend = rng.uniform(0, 2 * np.pi, 2)
    points += 0.35 * spacing * np.sin(points[:, ::-1] * 2 * np.pi / (6 * spacing) + bend)
    return points[((points > -spacing) & (points < size + spacing)).all(axis=1)]


def _place_figures(
    rng: np.random.Generator, cells: Points, size: int, with_figures: bool
) -> tuple[Points, NDArray[np.int64], tuple[str, ...]]:
    """Takes cells for figures and imposters, far enough apart: points, labels, kinds."""
    share = (size / 1024) ** 2
    figures, imposters = (max(1, round(rng.uniform(*FIGURES_PER_ROI) * share)) for _ in range(2))
    labels = [MITOTIC_FIGURE] * (figures if with_figures else 0) + [IMPOSTER] * imposters
    whole = cells[((cells > EDGE_PX) & (cells < size - EDGE_PX)).all(axis=1)]
    chosen = _apart(np.rint(rng.permutation(whole)), BETWEEN_FIGURES_PX)[: len(labels)]
    taken = rng.permutation(labels[: len(chosen)])  # where not all find room, figures come first
    names = {MITOTIC_FIGURE: list(PHASES), IMPOSTER: list(IMPOSTERS)}
    kinds = tuple(str(rng.choice(names[int(label)])) for label in taken)
    return chosen, taken, kinds


def _stroma_cells(
    rng: np.random.Generator, look: Tumour, ground: _Ground, points: Points
) -> Points:
    cells = _lattice(rng, len(ground.depth), 46.0)
    keep = (
        (_at(ground.depth, cells) < -6)
        & (_at(ground.gaps, cells) < 0.6)
        & (rng.random(len(cells)) < 0.6)
    )
    return _away_from(cells[keep], points, 40.0)


def _lymphocytes(rng: np.random.Generator, look: Tumour, ground: _Ground, points: Points) -> Points:
    """Crowds of lymphocytes in the stroma, a few strays in the nests."""
    size = len(ground.depth)
    cells = _lattice(rng, size, 24.0)
    crowd = _at(smooth_noise(rng, size, 100), cells) > 2.2 - 1.2 * look.lymphocytes
    depth = _at(ground.depth, cells)
    chance = np.where(depth < -8, np.where(crowd, 0.75, 0.02), 0.006) * (depth < 200)
    keep = (rng.random(len(cells)) < chance) & (_at(ground.gaps, cells) < 0.6)
    return _away_from(cells[keep], points, 40.0)


def _vary_density(rng: np.random.Generator, stain: FloatImage) -> None:
    """Sections are not equally thick nor equally stained all over."""
    for channel, amount in enumerate((0.06, 0.08)):
        stain[channel] *= np.clip(1 + amount * smooth_noise(rng, stain.shape[1], 300), 0.7, 1.3)


def _paint(stain: FloatImage, window: Window, centre: Points) -> None:
    """Lays a window over the stain (2, size, size), in place, centred on the px nearest to `centre`
    x y."""
    size, side = stain.shape[1], window.side
    left, top = (round(float(c)) - side // 2 for c in centre)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + side, size), min(top + side, size)
    if x1 >= x2 or y1 >= y2:
        return
    layer = window.stain[:, y1 - top : y2 - top, x1 - left : x2 - left]
    under = stain[:, y1:y2, x1:x2]
    under *= 1 - layer[2]
    under += layer[: len(under)]


def _at(field: FloatImage, points: Points) -> FloatImage:
    """The field's value at the px nearest to each point x y; beyond the edge, at the edge."""
    at = np.clip(np.rint(points).astype(np.int64), 0, len(field) - 1)
    return field[at[:, 1], at[:, 0]]


def _apart(points: Points, distance: float) -> Points:
    """The points (M, 2), first come first served, that are at least `distance` px from those before
    them."""
    kept = np.zeros((0, 2))
    for point in points:
        if (np.hypot(*(kept - point).T) >= distance).all():
            kept = np.vstack([kept, point])
    return kept


def _away_from(points: Points, others: Points, distance: float) -> Points:
    if not len(points) or not len(others):
        return points
    gaps = np.hypot(*(points[:, None] - others[None]).transpose(2, 0, 1))
    return np.asarray(points[gaps.min(axis=1) >= distance])
