"""Places of cells in the phantom: a bent honeycomb, distances kept, values of fields at points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.data.phantom.paint import FloatImage, Window

Points = NDArray[np.float64]
"""(N, 2) float64, x y in px."""


def lattice(rng: np.random.Generator, size: int, spacing: float) -> Points:
    """Centres of cells on a jittered, bent honeycomb, also just beyond the edge.

    Args:
        rng: draws the jitter and the bend.
        size: side of the ROI, px.
        spacing: mean distance of neighbours, px.
    """
    steps = np.arange(-1.5, size / spacing + 2.5)
    rows, columns = np.meshgrid(np.arange(-2, size / (spacing * 0.866) + 3), steps, indexing="ij")
    points = np.stack([columns + 0.5 * (rows % 2), rows * 0.866], axis=-1).reshape(-1, 2) * spacing
    points += rng.normal(0, 0.14 * spacing, points.shape)
    bend = rng.uniform(0, 2 * np.pi, 2)
    points += 0.35 * spacing * np.sin(points[:, ::-1] * 2 * np.pi / (6 * spacing) + bend)
    return points[((points > -spacing) & (points < size + spacing)).all(axis=1)]


def paint_window(stain: FloatImage, window: Window, centre: Points) -> None:
    """Lay a window over stain, in place.

    Args:
        stain: (2, size, size) or, for haematoxylin alone, (1, size, size) float32.
        window: what is painted.
        centre: (2,) x y, px; the window is centred on the px nearest to it.
    """
    size, side = stain.shape[1], window.side
    left, top = (round(float(c)) - side // 2 for c in centre)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + side, size), min(top + side, size)
    if x1 >= x2 or y1 >= y2:
        return
    layer = window.stain[:, y1 - top : y2 - top, x1 - left : x2 - left]
    under = stain[:, y1:y2, x1:x2]
    under *= 1 - layer[2]
    under += layer[: len(under)]


def values_at(field: FloatImage, points: Points) -> FloatImage:
    """Values (N,) of a field (size, size) at the px nearest to points; beyond the edge, at it."""
    at = np.clip(np.rint(points).astype(np.int64), 0, len(field) - 1)
    return field[at[:, 1], at[:, 0]]


def apart(points: Points, distance: float) -> Points:
    """The points that are at least `distance` px from those kept before them, in order."""
    kept = np.zeros((0, 2))
    for point in points:
        if (np.hypot(*(kept - point).T) >= distance).all():
            kept = np.vstack([kept, point])
    return kept


def away_from(points: Points, others: Points, distance: float) -> Points:
    """The points that are at least `distance` px from all others."""
    if not len(points) or not len(others):
        return points
    gaps = np.hypot(*(points[:, None] - others[None]).transpose(2, 0, 1))
    return np.asarray(points[gaps.min(axis=1) >= distance])
