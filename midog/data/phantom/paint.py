"""Brushes of the phantom: smooth noise, grain, uneven outlines, windows of stain in layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatImage = NDArray[np.floating[Any]]
"""float32 in fact; the stubs widen it where a Python float comes in."""


def smooth_noise(rng: np.random.Generator, size: int, scale_px: float) -> FloatImage:
    """Noise (size, size) float32 of mean 0 and deviation about 1: a cubic B-spline.

    Args:
        rng: draws it.
        size: side, px.
        scale_px: length over which it varies, px.
    """
    cells = int(np.ceil(size / scale_px)) + 4
    # the spline halves the deviation
    grid = rng.standard_normal((cells, cells), dtype=np.float32) * 2
    down, right = rng.random(2)
    return _stretch(_stretch(grid, size, scale_px, down).T, size, scale_px, right)


def _stretch(rows: FloatImage, size: int, scale_px: float, shift: float) -> FloatImage:
    """Rows (n, m) stretched to (size, m), `scale_px` rows of the result for one, by a B-spline."""
    place = np.arange(size) / scale_px + shift
    first = place.astype(np.int64)
    t = (place - first).astype(np.float32)[:, None]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    stretched = np.zeros((size, rows.shape[1]), np.float32)
    for k, weight in enumerate(weights):
        stretched += rows[first + k] * (weight / 6)
    return stretched


class Grain:
    """Textures of three grain sizes (1.2, 2.2 and 4.5 px) that are cut at random places."""

    def __init__(self, rng: np.random.Generator, side: int = 256) -> None:
        self._fields = [_grain(rng, side, sigma) for sigma in (1.2, 2.2, 4.5)]

    def cut(self, rng: np.random.Generator, size: int, coarseness: int) -> FloatImage:
        """A window (size, size) of mean 0, deviation 1; coarseness 0, 1 or 2."""
        field = self._fields[coarseness]
        y, x = rng.integers(0, field.shape[0] - size, 2)
        return field[y : y + size, x : x + size]


def _grain(rng: np.random.Generator, side: int, sigma: float) -> FloatImage:
    field = ndimage.gaussian_filter(
        rng.standard_normal((side, side), dtype=np.float32), sigma, mode="wrap"
    )
    return np.asarray(field / field.std(), np.float32)


class Window:
    """A transparent square into which one cell is painted.

    side: px. x, y: (side, side) float32, px from the centre, to the right and down.
    stain: (3, side, side) float32, haematoxylin and eosin, both times opacity, and opacity.
    """

    def __init__(self, side: int) -> None:
        axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
        self.side = side
        self.y, self.x = np.meshgrid(axis, axis, indexing="ij")
        self.stain = np.zeros((3, side, side), np.float32)

    def over(
        self, opacity: FloatImage, haematoxylin: FloatImage | float, eosin: FloatImage | float
    ) -> None:
        """Lay a layer over the stain so far; opacity 0 to 1, stain as concentrations."""
        self.stain *= 1 - opacity
        self.stain[0] += opacity * haematoxylin
        self.stain[1] += opacity * eosin
        self.stain[2] += opacity

    def turned(self, angle: float) -> tuple[FloatImage, FloatImage]:
        """Coordinates along and across an axis at that angle."""
        cos, sin = math.cos(angle), math.sin(angle)
        return self.x * cos + self.y * sin, self.y * cos - self.x * sin

    def blur(self, sigma: float) -> None:
        """Put the cell out of focus, by a Gaussian of `sigma` px."""
        self.stain = np.asarray(ndimage.gaussian_filter(self.stain, (0, sigma, sigma)), np.float32)


def inside(depth: FloatImage, edge_px: float = 1.5) -> FloatImage:
    """Opacity 0 to 1 of a signed depth in px (positive inside), rising over `edge_px`."""
    t = np.clip(depth / edge_px + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def outline(
    rng: np.random.Generator,
    along: FloatImage,
    across: FloatImage,
    radii: tuple[float, float],
    rough: float,
) -> FloatImage:
    """Signed depth in px, positive inside, of an uneven ellipse.

    Args:
        rng: draws its lobes.
        along, across: (side, side) float32, px along and across its first axis.
        radii: along and across, px.
        rough: 0 (even) to 0.2 (lobed).
    """
    angle = np.arctan2(across, along)
    reach = np.ones_like(along)
    for order in (2, 3, 4, 5):
        reach += rough * rng.normal() / order * np.cos(order * angle + rng.uniform(0, 6.28))
    rho = np.hypot(along / radii[0], across / radii[1])
    return np.asarray((reach - rho) * min(radii), np.float32)
