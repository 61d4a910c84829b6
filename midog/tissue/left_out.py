"""What is dark or coloured and no tissue: pen, black debris, grey edges, thin lines, specks.

H&E absorbs green most: haematoxylin 0.65, 0.70, 0.29 and eosin 0.07, 0.99, 0.11 of red, green and
blue (Ruifrok and Johnston 2001). What absorbs red clearly more is ink, what absorbs all alike is no
stain. The bounds leave room beside real tissue of five scanners at 8 um per px.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from midog.tissue.kinds import BLACK, GLASS, GREY, LINE, PEN, SPECK, TISSUE
from midog.tissue.rules import Floats, Mask

Kinds = NDArray[np.uint8]

_LEAST_PEN_MM2 = 0.02
"""A pen's stroke is wider than 0.3 mm; smaller patches may be mucin or lime."""

_RIM_PX = 3

_LEAST_TISSUE_MM2 = 0.004
"""Less, apart from the image's edge, is a speck: a square of 63 um."""

_LARGEST_HOLE_MM2 = 0.01
"""A smaller hole belongs to the tissue around it: a lumen, a crack."""

_LINE_MM, _LINE_WIDTH_MM = 1.0, 0.1
"""A line is at least that long and at most that wide; a core biopsy is 0.4 mm wide and more."""


def colours_left_out(rgb: Floats) -> Kinds:
    """Tell what is left out for its colour.

    Args:
        rgb: (h, w, 3), red, green and blue in [0, 1], smoothed.

    Returns:
        (h, w): PEN, BLACK, GREY, or GLASS for all else.
    """
    brightest, darkest = rgb.max(axis=2), rgb.min(axis=2)
    chroma = brightest - darkest
    red, green, blue = np.moveaxis(-np.log10(np.maximum(rgb, 1 / 255)), 2, 0)
    kinds = np.full(rgb.shape[:2], GLASS, np.uint8)
    kinds[(brightest < 0.75) & (chroma < 0.07 * brightest)] = GREY
    blue_or_green = (red > 1.3 * green) & (red > 0.12)
    red_ink = (chroma > 0.75 * brightest) & (blue > 0.75 * green) & (red < 0.35 * green)
    kinds[blue_or_green | red_ink] = PEN
    kinds[(brightest < 0.15) | ((brightest < 0.25) & (chroma < 0.08))] = BLACK
    return kinds


def whole_strokes(kinds: Kinds, px_mm2: float) -> Kinds:
    """Take patches of PEN that are too small for a stroke back to GLASS, and give the others their
    rims, where ink and glass mix to any colour.

    Args:
        kinds: (h, w).
        px_mm2: area of a px.
    """
    pen = kinds == PEN
    kinds = np.where(pen, np.uint8(GLASS), kinds)
    strokes = pen & ~_small(pen, _LEAST_PEN_MM2 / px_mm2)
    if strokes.any():
        kinds[ndimage.binary_dilation(strokes, np.ones((3, 3), bool), iterations=_RIM_PX)] = PEN
    return kinds


def shapes_left_out(tissue: Mask, px_mm: tuple[float, float]) -> Kinds:
    """Tell what of the tissue is left out for its shape, and what small holes belong to it.

    Args:
        tissue: (h, w), what colours say.
        px_mm: width and height of a px.

    Returns:
        (h, w): TISSUE, LINE, SPECK or GLASS.
    """
    kinds = np.where(tissue, np.uint8(TISSUE), np.uint8(GLASS))
    kinds[_lines(tissue, px_mm)] = LINE
    px_mm2 = px_mm[0] * px_mm[1]
    kinds[_small(~tissue, _LARGEST_HOLE_MM2 / px_mm2, at_edge=False)] = TISSUE
    kinds[_small(kinds == TISSUE, _LEAST_TISSUE_MM2 / px_mm2, at_edge=False)] = SPECK
    return kinds


def _small(mask: Mask, least_px: float, *, at_edge: bool = True) -> Mask:
    """The px of patches of fewer px; with `at_edge` False not of those that reach the image's edge,
    as they may continue beyond it."""
    patches, count = ndimage.label(mask, np.ones((3, 3)))
    small = np.bincount(patches.ravel(), minlength=count + 1) < least_px
    if not at_edge:
        for edge in (patches[0], patches[-1], patches[:, 0], patches[:, -1]):
            small[edge] = False
    small[0] = False
    return np.asarray(small[patches])


def _lines(tissue: Mask, px_mm: tuple[float, float]) -> Mask:
    """The px of thin straight lines along the sides of the image, give or take four degrees."""
    import cv2

    def opened(mask: Kinds, *wide_mm: float) -> NDArray[Any]:
        # odd, as OpenCV shifts by a px what it opens with an even one
        across, down = (int(mm / px / 2) * 2 + 1 for mm, px in zip(wide_mm, px_mm, strict=True))
        element = np.ones((down, across), np.uint8)
        return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, element))

    if max(side * px for side, px in zip(tissue.shape[::-1], px_mm, strict=True)) < _LINE_MM:
        return np.zeros_like(tissue)
    values = tissue.astype(np.uint8)
    thin = values & ~opened(values, _LINE_WIDTH_MM, _LINE_WIDTH_MM) & 1
    return np.asarray(opened(thin, _LINE_MM, 0) | opened(thin, 0, _LINE_MM), bool)
