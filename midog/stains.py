"""Stains: optical density, stain vectors, unmixing and Macenko's estimate from pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_ROWS: Values = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]])

STAINS: Values = _ROWS / np.linalg.norm(_ROWS, axis=1, keepdims=True)
"""Optical densities of haematoxylin, eosin and a residual (rows) in R, G, B, each of length 1.

Ruifrok & Johnston, 'Quantification of histochemical staining by color deconvolution', Anal Quant
Cytol Histol 2001.
"""

UNMIX: Values = np.linalg.inv(STAINS).astype(np.float64)
"""Optical density in R, G, B @ UNMIX = amounts of haematoxylin, eosin and residual."""

OD_OF_LEVEL: Values = np.log10(256 / np.arange(1, 257))
"""(256,) optical density of the levels 0 to 255: 2.4 to 0."""

TISSUE_OD = 0.15
"""A pixel is tissue where its optical density, mean over red, green and blue, is above this
(Macenko's beta)."""

_EXTREME_PERCENT = 1.0  # of pixels beyond each of Macenko's extreme angles
_MIN_TISSUE_PX = 500
_MIN_ANGLE_DEG = 1.0  # between two stains; below it only one colour exists


def mixing_matrices(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrices that scale the stains of pixels.

    Args:
        scales: (B, 3) float32, factors of the amounts of haematoxylin, eosin and residual.

    Returns:
        (B, 3, 3) float32; optical density @ matrix = the new optical density.
    """
    return (UNMIX @ (scales[:, :, None] * STAINS)).astype(np.float32)


def optical_density(pixels: NDArray[np.uint8]) -> Values:
    """Return -log10((I + 1) / 256) of levels of any shape (Beer-Lambert).

    Args:
        pixels: uint8 levels, 0 to 255.

    Returns:
        float64 of the same shape: 0 for white, 2.4 for black.
    """
    return OD_OF_LEVEL[pixels]


def tissue_share(pixels: NDArray[np.uint8]) -> float:
    """Return the share of pixels (..., 3) uint8 that is tissue, 0 to 1."""
    return float(np.mean(optical_density(pixels).mean(axis=-1) > TISSUE_OD))


def macenko(pixels: NDArray[np.uint8]) -> tuple[Values, Values]:
    """Estimate the two stains of some pixels.

    Macenko et al., 'A method for normalizing histology slides for quantitative analysis', ISBI
    2009: the optical densities of tissue span a plane; the stains are its extreme directions, taken
    at the 1st and 99th percentile of the angle. A pixel counts as tissue by its mean density over
    the channels, as eosin alone hardly absorbs red. The stain that absorbs more red is
    haematoxylin.

    Args:
        pixels: (N, 3) uint8 RGB.

    Returns:
        Stain vectors (2, 3), haematoxylin then eosin, each of length 1, and their concentrations
        (2,), 99th percentiles of the least-squares solution. NaN where fewer than 500 pixels are
        tissue, or where they have only one colour.
    """
    density = optical_density(pixels)
    density = density[density.mean(axis=1) > TISSUE_OD]
    unknown = np.full((2, 3), np.nan), np.full(2, np.nan)
    if len(density) < _MIN_TISSUE_PX:
        return unknown
    _, vectors = np.linalg.eigh(density.T @ density)
    plane = vectors[:, :0:-1]  # (3, 2), the main direction first
    plane = plane * np.where(plane.sum(axis=0) < 0, -1, 1)
    along, across = (density @ plane).T
    low, high = np.percentile(np.arctan2(across, along), [_EXTREME_PERCENT, 100 - _EXTREME_PERCENT])
    if math.degrees(high - low) < _MIN_ANGLE_DEG:
        return unknown
    stains = np.array([[math.cos(angle), math.sin(angle)] for angle in (low, high)]) @ plane.T
    stains = stains[np.argsort(-stains[:, 0])]
    amounts = density @ np.linalg.pinv(stains)
    return stains, np.percentile(amounts, 99, axis=0)
