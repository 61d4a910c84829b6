"""Ground of the phantom on which cells are placed: tumour nests, stroma, cytoplasm and gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from midog.data.phantom.cells import Tumour
from midog.data.phantom.paint import FloatImage, Window, inside, outline, smooth_noise
from midog.data.phantom.placing import Points, apart, lattice, paint_window, values_at


@dataclass(frozen=True)
class Ground:
    """Maps (size, size) float32 that cells are placed by.

    stain: (2, size, size), haematoxylin and eosin. depth: into a nest, px. gaps: 0 to 1.
    fibre_angle: course of the fibres, radians.
    """

    stain: FloatImage
    depth: FloatImage
    gaps: FloatImage
    fibre_angle: FloatImage


def draw_ground(rng: np.random.Generator, tumour: Tumour, size: int, cells: Points) -> Ground:
    """Draw nests, stroma and cytoplasm as they lie below the nuclei.

    Args:
        rng: draws all of it.
        tumour: the patient's.
        size: side of the ROI, px.
        cells: (N, 2) centres of tumour cells, px; their cytoplasm reaches half-way to the next.
    """
    depth = _nests(rng, tumour, size)
    nest = inside(depth, 3)
    stroma, angle, stroma_gaps = draw_stroma(rng, tumour, nest)
    cytoplasm, cell_gaps = _cytoplasm(rng, tumour, size, cells)
    stain = cytoplasm
    stain *= nest
    stroma *= 1 - nest
    stain += stroma
    del stroma
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
    return Ground(stain, depth, gaps, angle)


def _nests(rng: np.random.Generator, tumour: Tumour, size: int) -> FloatImage:
    """Signed depth into the tumour nests, px, exact near their borders."""
    field = smooth_noise(rng, size, tumour.nest) + 0.35 * smooth_noise(rng, size, tumour.nest / 3)
    field += 0.05 * smooth_noise(rng, size, 14)
    field -= np.quantile(field[::8, ::8], 1 - tumour.share)
    dy, dx = np.gradient(field)
    steep = ndimage.uniform_filter(np.hypot(dx, dy), 15)
    return np.asarray(np.clip(field / (steep + 0.003), -200, 200), np.float32)


def draw_stroma(
    rng: np.random.Generator, tumour: Tumour, nest: FloatImage
) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Draw wavy bundles of collagen around nests, (size, size) of 0 to 1.

    Returns:
        Stain (2, size, size), angle of the fibres, gaps between them.
    """
    size, course = len(nest), rng.uniform(0, np.pi)
    x = np.arange(size, dtype=np.float32)
    y = x[:, None]
    cos, sin = math.cos(course), math.sin(course)
    along, across = x * cos + y * sin, y * cos - x * sin
    across += 26 * smooth_noise(rng, size, 150) + 5 * smooth_noise(rng, size, 38)
    across += 55 * ndimage.gaussian_filter(nest, 16, truncate=2.5)  # fibres bend along the nests
    dy, dx = np.gradient(across)
    angle = np.arctan2(dy, dx) + np.pi / 2
    del dy, dx
    bundle = _streaks(rng, along, across, 60, 10)
    fibril = _streaks(rng, along, across, 14, 2.8)
    del along, across
    speckle = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), 1) * 3.5
    loose = smooth_noise(rng, size, 110)
    sparse = 0.55 * loose - bundle - 0.5 * fibril - 0.25 * speckle
    gaps = inside(sparse - 1.5, 1.8) * 0.9
    del sparse
    tone = 1 + 0.15 * bundle + 0.13 * fibril + 0.12 * speckle
    tone = np.maximum(tone - 0.15 * np.clip(loose, -1, 2), 0.15)
    stain = np.empty((2, size, size), np.float32)
    stain[0] = 0.06 * tone
    stain[1] = tumour.collagen * tone
    return stain, angle, gaps


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
    rng: np.random.Generator, tumour: Tumour, size: int, cells: Points
) -> tuple[FloatImage, FloatImage]:
    """Cytoplasm as if all were tumour: stain (2, size, size), and the gaps between cells and
    vacuoles in them."""
    owner = _owners(rng, size, cells)
    tint = np.clip(rng.normal(1, 0.2, (2, len(cells))), 0.5, 1.6).astype(np.float32)
    borders = np.zeros((size, size), np.float32)
    borders[:-1] = owner[1:] != owner[:-1]
    borders[:, :-1][owner[:, 1:] != owner[:, :-1]] = 1
    stain, web = _tinted(rng, tumour, borders, owner, tint)
    del owner
    patchy = smooth_noise(rng, size, 90)
    foam = inside(smooth_noise(rng, size, 6.5) + 0.6 * patchy - 2.5 + 1.2 * tumour.foamy, 1.0)
    gate = 0.5 * patchy + 0.8 * smooth_noise(rng, size, 32) + tumour.foamy - 1.1
    del patchy
    shrunk = ndimage.gaussian_filter(borders, 1.8) * 4.4
    slits = inside(shrunk * np.clip(gate, 0, 1) * (1 + 0.3 * web) - 0.4, 0.7)
    return stain, np.maximum(foam * 0.7, slits * 0.85)


def _tinted(
    rng: np.random.Generator,
    tumour: Tumour,
    borders: FloatImage,
    owner: NDArray[np.int32],
    tint: FloatImage,
) -> tuple[FloatImage, FloatImage]:
    """Stain (2, size, size) of the cytoplasm, and the web in it, which bounds its slits.

    Args:
        rng: draws the texture.
        tumour: the patient's.
        borders: (size, size) float32, 1 where two cells meet.
        owner: (size, size), the cell that each px belongs to.
        tint: (2, cells) float32, how strongly haematoxylin and eosin stain each cell.
    """
    size = len(borders)
    fine = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), 1.1) * 3.9
    web = smooth_noise(rng, size, 5)
    cloud = smooth_noise(rng, size, 24)
    texture = np.maximum(1 + 0.16 * fine + 0.24 * web + 0.16 * cloud, 0.15)
    del fine
    line = ndimage.gaussian_filter(borders, 1.2) * 2.6 * np.clip(0.6 + 0.5 * cloud, 0, 1)
    del cloud
    stain = np.empty((2, size, size), np.float32)
    stain[0] = tumour.cytoplasm_h * texture * tint[0][owner] + line * 0.06
    stain[1] = tumour.cytoplasm_e * texture * tint[1][owner] + line * 0.16
    return stain, web


def _owners(rng: np.random.Generator, size: int, cells: Points) -> NDArray[np.int32]:
    """Index (size, size) of the cell that each px belongs to: the nearest one, with wavy
    borders."""
    half = size // 2 + 1
    seeds = np.zeros((half, half), np.int64)
    at = np.clip(np.rint(cells / 2).astype(np.int64), 0, half - 1)
    seeds[at[:, 1], at[:, 0]] = np.arange(1, len(cells) + 1)
    _, (rows, columns) = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    nearest = (seeds[rows, columns] - 1).astype(np.int32)
    x = np.arange(size, dtype=np.float32) / 2
    rows, columns = (
        np.clip(np.rint(axis + 2.2 * smooth_noise(rng, size, 18)), 0, half - 1).astype(np.int32)
        for axis in (x[:, None], x)
    )
    return np.asarray(nearest[rows, columns])


def _open_holes(rng: np.random.Generator, gaps: FloatImage, depth: FloatImage) -> None:
    """Add lumina and, in some ROIs, a group of fat cells to the gaps (size, size), in place."""
    size = len(gaps)
    area = (size / 1024) ** 2
    holes = [
        (rng.uniform(0, size, 2), rng.uniform(9, 30), 0.22) for _ in range(rng.poisson(5 * area))
    ]
    if rng.random() < 0.4 * min(area, 1):
        stroma = rng.permutation(lattice(rng, size, 30.0))
        stroma = stroma[values_at(depth, stroma) < -20]
        near = np.hypot(*(stroma - stroma[:1]).T) < 170
        holes += [(place, rng.uniform(40, 46), 0.04) for place in apart(stroma[near], 92.0)]
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
        paint_window(gaps[None], window, centre)
