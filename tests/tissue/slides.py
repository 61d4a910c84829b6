"""Drawn slides at 4 um per px: glass, a section of H&E, and what is no tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from midog.images.pixels import Pixels

MPP = 4.0
GLASS = (243, 242, 244)
EOSIN, NUCLEI = (214, 150, 190), (120, 80, 150)
SECTION = (200, 200, 900, 700)
"""Box of the section, an ellipse: 1.1 mm2 and more."""

INK = {
    "blue": (40, 80, 180),
    "pale blue": (110, 160, 215),
    "green": (40, 120, 80),
    "black": (25, 25, 28),
    "red": (205, 35, 45),
}


def draw_slide(width: int = 1500, height: int = 1000, section: bool = True) -> Image.Image:
    """Glass, with a section where asked for; draw on it, then make `pixels_of` it."""
    picture = Image.new("RGB", (width, height), GLASS)
    if section:
        ImageDraw.Draw(picture).ellipse(SECTION, EOSIN)
    return picture


def pixels_of(picture: Image.Image, seed: int = 0) -> Pixels:
    """The picture with nuclei in its eosin, noise, and the blur of a lens."""
    numbers = np.random.default_rng(seed)
    pixels = np.asarray(picture).astype(np.float32)
    eosin = (pixels == EOSIN).all(axis=2)
    pixels[eosin & (numbers.random(eosin.shape) < 0.25)] = NUCLEI
    pixels += numbers.normal(0, 3, pixels.shape)
    return np.asarray(pixels.round().clip(0, 255), np.uint8)


def inside_section(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which px are of the section, (h, w)."""
    x1, y1, x2, y2 = SECTION
    y, x = np.indices(shape[:2])
    across, down = (x - (x1 + x2) / 2) / ((x2 - x1) / 2), (y - (y1 + y2) / 2) / ((y2 - y1) / 2)
    return np.asarray(across**2 + down**2 <= 1)
