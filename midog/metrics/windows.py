"""Windows of a given area, in which figures are counted: rectangles and the circle."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from midog.errors import DetectionsError

CIRCLE = "circle"
LEAST_MM2, MOST_MM2 = 0.001, 1000.0
"""Range of a window's area: a cell or two, and a whole slide."""

_MOST_OBLONG = 20.0
_RATIO = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")
_STRIPS = 20_000  # of a circle, for its area inside an image


@dataclass(frozen=True)
class Window:
    """A window that is moved over an image, never turned.

    Attributes:
        shape: `circle`, or `W:H`, the ratio of width to height.
        width_mm: Width; of a circle, its diameter.
        height_mm: Height; of a circle, its diameter.
    """

    shape: str
    width_mm: float
    height_mm: float

    @classmethod
    def of(cls, area_mm2: float, shape: str) -> Window:
        """Return the window of that area and shape.

        Raises:
            DetectionsError: The area is out of range, or the shape is none.
        """
        if not LEAST_MM2 <= area_mm2 <= MOST_MM2:
            raise DetectionsError(
                f"a hotspot of {area_mm2:g} mm2",
                f"give an area of {LEAST_MM2:g} to {MOST_MM2:g} mm2",
            )
        if shape == CIRCLE:
            diameter = 2 * math.sqrt(area_mm2 / math.pi)
            return cls(shape, diameter, diameter)
        ratio = _RATIO.fullmatch(shape)
        sides = [float(side) for side in ratio.groups()] if ratio else [0.0, 0.0]
        if min(sides) <= 0 or max(sides) > _MOST_OBLONG * min(sides):
            raise DetectionsError(
                f"a hotspot of shape {shape!r}",
                "give circle, or width:height such as 4:3, at most 20 times as long as wide",
            )
        width = math.sqrt(area_mm2 * sides[0] / sides[1])
        return cls(shape, width, area_mm2 / width)

    @property
    def is_circle(self) -> bool:
        """Whether it is the circle."""
        return self.shape == CIRCLE

    @property
    def area_mm2(self) -> float:
        """Its area."""
        box = self.width_mm * self.height_mm
        return box * math.pi / 4 if self.is_circle else box

    def area_inside(self, x_mm: float, y_mm: float, size_mm: tuple[float, float]) -> float:
        """Return how much of the window lies in an image, mm2.

        Args:
            x_mm, y_mm: Centre of the window.
            size_mm: Width and height of the image, whose corner is 0 0.

        Returns:
            Exact for rectangles, to 0.01 % for the circle.
        """
        across, down = self.width_mm / 2, self.height_mm / 2
        left, right = (np.clip(x_mm + sign * across, 0, size_mm[0]) for sign in (-1, 1))
        top, bottom = (np.clip(y_mm + sign * down, 0, size_mm[1]) for sign in (-1, 1))
        if not self.is_circle:
            return float((right - left) * (bottom - top))
        if across <= x_mm <= size_mm[0] - across and down <= y_mm <= size_mm[1] - down:
            return self.area_mm2
        strips = left + (np.arange(_STRIPS) + 0.5) * (right - left) / _STRIPS
        half = np.sqrt(np.maximum(self.width_mm**2 / 4 - (strips - x_mm) ** 2, 0))
        heights = np.clip(y_mm + half, 0, size_mm[1]) - np.clip(y_mm - half, 0, size_mm[1])
        return float(heights.mean() * (right - left))
