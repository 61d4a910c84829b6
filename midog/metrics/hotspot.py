"""The hotspot: the place of a window of 2 mm2, or another area, that holds the most figures."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from midog.errors import DetectionsError
from midog.metrics.densest import Allowed, densest
from midog.metrics.points import Points, as_points
from midog.metrics.window_places import REACH
from midog.metrics.windows import Window

AREA_MM2, SHAPE = 2.0, "4:3"
"""WHO's and the challenge's count is in 2 mm2; its ROIs are as wide to high as 4 to 3."""

_SAME = 1e-9  # of the window's width: places that differ by less are one


@dataclass(frozen=True)
class HotspotSettings:
    """The hotspot that a user wants.

    Attributes:
        area_mm2: Of the window.
        shape: `circle`, or width to height.
        least_tissue: Share of the window that must be tissue; 0: the window may be anywhere.

    Raises:
        DetectionsError: For an area, a shape or a share that is none.
    """

    area_mm2: float = AREA_MM2
    shape: str = SHAPE
    least_tissue: float = 0.0

    def __post_init__(self) -> None:
        Window.of(self.area_mm2, self.shape)
        if not 0 <= self.least_tissue <= 1:
            raise DetectionsError(
                f"a least share of tissue of {self.least_tissue:g}", "give a number from 0 to 1"
            )

    def settings(self) -> dict[str, str]:
        """What decides it, for the record of a folder; empty for the default."""
        return {} if self == HotspotSettings() else {"hotspot": self.words}

    @property
    def words(self) -> str:
        """Such as: 2 mm2, 4:3."""
        tissue = f", at least {self.least_tissue:.0%} of it tissue" if self.least_tissue else ""
        return f"{self.area_mm2:g} mm2, {self.shape}{tissue}"


@dataclass(frozen=True)
class Hotspot:
    """The densest place of a window.

    Attributes:
        window: Its shape and size.
        x_mm: Its centre, to the right; NaN where there is no point.
        y_mm: Likewise, down.
        count: Points in it, those on its border included.
        inside_mm2: Its area inside the image; all of it where the image's size is not known.
    """

    window: Window
    x_mm: float
    y_mm: float
    count: int
    inside_mm2: float

    @property
    def per_mm2(self) -> float:
        """Points per mm2 of that part of it that is in the image."""
        return self.count / self.inside_mm2

    @property
    def box_mm(self) -> tuple[float, float, float, float]:
        """x1 y1 x2 y2 of it, or of the box around the circle, mm."""
        across, down = self.window.width_mm / 2, self.window.height_mm / 2
        return self.x_mm - across, self.y_mm - down, self.x_mm + across, self.y_mm + down

    def holds(self, points: Points) -> NDArray[np.bool_]:
        """Tell which points (N, 2), in mm, are in it."""
        apart = np.abs((points - (self.x_mm, self.y_mm)) / _unit(self.window))
        norm = np.hypot(*apart.T) if self.window.is_circle else apart.max(axis=1, initial=0)
        return np.asarray(norm <= REACH + 1e-11)


def hotspot(
    points: Any,
    area_mm2: float = AREA_MM2,
    shape: str = SHAPE,
    *,
    size_mm: tuple[float, float] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    allowed_px_mm: tuple[float, float] = (1.0, 1.0),
) -> Hotspot:
    """Find the place of a window that holds the most points, over all places and not on a grid.

    A point on the border is in the window, and so is one up to 1e-9 of its width beyond, so that
    rounding loses none. The window is then put around its points: the middle of a rectangle is the
    middle of their bounding box, that of the circle the middle of their smallest circle. Of
    several places that hold as many the topmost is taken, then the leftmost. Neither the order of
    the points nor the number of threads changes anything.

    Args:
        points: (N, 2) x y, mm.
        area_mm2: Of the window, 0.001 to 1000.
        shape: `circle`, or width to height of a rectangle, such as `4:3`.
        size_mm: Width and height of the image, whose corner is 0 0: a rectangle is moved into it as
            far as it fits, which loses no point.
        allowed: (h, w) bool, where the window's middle may be; None: anywhere.
        allowed_px_mm: Width and height of a px of `allowed`, whose corner is 0 0.

    Returns:
        The hotspot; with count 0 and NaN for its place where there is no point, or none within
        reach of an allowed place.

    Raises:
        DetectionsError: For an area or a shape that is none, or points that are not finite.
    """
    window = Window.of(area_mm2, shape)
    points = as_points(points)
    if not np.isfinite(points).all():
        raise DetectionsError("a point of the hotspot is not finite", "give x and y in mm")
    unit = _unit(window)
    nothing = Hotspot(window, math.nan, math.nan, 0, window.area_mm2)
    if not len(points):
        return nothing
    where = None
    if allowed is not None:
        where = Allowed(allowed, (allowed_px_mm[0] / unit[0], allowed_px_mm[1] / unit[1]))
    scaled = points / unit
    best = densest(scaled, is_circle=window.is_circle, allowed=where)
    if not best.count:
        return nothing
    x, y = _first(_placed(best.places, scaled, window, where)) * unit
    if size_mm is None:
        return Hotspot(window, float(x), float(y), best.count, window.area_mm2)
    if where is None and not window.is_circle:
        x, y = _within(x, window.width_mm, size_mm[0]), _within(y, window.height_mm, size_mm[1])
    inside = window.area_inside(float(x), float(y), size_mm)
    return Hotspot(window, float(x), float(y), best.count, inside)


def _unit(window: Window) -> Points:
    return np.array([window.width_mm, window.height_mm])


def _placed(places: Points, points: Points, window: Window, allowed: Allowed | None) -> Points:
    """The window's middle around its points, for each place; the place itself where that is not
    allowed."""
    points = np.unique(points, axis=0)  # in one order, so that sums round alike
    tree = KDTree(points)
    norm = 2 if window.is_circle else np.inf
    middles = np.empty_like(places)
    for number, place in enumerate(places):
        inside = points[sorted(tree.query_ball_point(place, REACH + 1e-12, p=norm))]
        if window.is_circle:
            middle = smallest_circle(inside)
        else:
            middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
        if allowed is not None and not allowed.counts(middle[None], middle[None])[0][0]:
            middle = place
        middles[number] = middle
    return middles


def _first(middles: Points) -> Points:
    """The topmost of some places, then the leftmost."""
    x, y = np.round(middles / _SAME).T
    return np.asarray(middles[np.lexsort((x, y))[0]])


def _within(middle: float, length: float, image: float) -> float:
    """The middle of a window along an axis, moved into the image as far as it fits."""
    if image <= length:
        return image / 2
    return min(max(middle, length / 2), image - length / 2)


def smallest_circle(points: Points) -> Points:
    """Return the middle (2,) of the smallest circle around points (N, 2), N > 0.

    The farthest point beyond the circle of a few others joins these, of which those that hold the
    circle stay (Gärtner 1999): its radius grows with each step, so it ends.
    """
    holding = points[:1]
    middle, radius = holding[0], 0.0
    for _ in range(len(points) * 4):
        apart = np.hypot(*(points - middle).T)
        farthest = int(apart.argmax())
        if apart[farthest] <= radius + 1e-13:
            break
        holding, middle, radius = _around(np.vstack([holding, points[farthest]]))
    return np.asarray(middle, np.float64)


def _around(points: Points) -> tuple[Points, Points, float]:
    """The smallest circle around at most four points: those that hold it, middle and radius."""
    circles = []
    for size in (2, 3):
        for chosen in itertools.combinations(points, size):
            middle = _through(np.array(chosen))
            if middle is not None:
                apart = np.hypot(*(points - middle).T)
                own = float(np.hypot(*(np.array(chosen) - middle).T).max())
                if apart.max() <= own + 1e-13:
                    circles.append((own, np.array(chosen), middle))
    radius, holding, middle = min(circles, key=lambda circle: circle[0])
    return holding, middle, radius


def _through(points: Points) -> Points | None:
    """The middle of the circle with two points as a diameter, or through three; None where three
    lie on a line."""
    if len(points) == 2:
        return np.asarray(points.mean(axis=0))
    (bx, by), (cx, cy) = points[1:] - points[0]
    twice = 2 * (bx * cy - by * cx)
    if abs(twice) < 1e-18:
        return None
    b, c = bx**2 + by**2, cx**2 + cy**2
    return np.asarray(points[0] + np.array([cy * b - by * c, bx * c - cx * b]) / twice)
