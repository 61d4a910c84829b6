"""What lies where on a phantom slide: a lymph node with its fat, metastases, follicles and pen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""(N, 2) x y, um from the slide's left upper corner."""

_POINTS = 180  # of an outline
_RIM_UM = 45.0  # between a metastasis and the node's edge, at least


@dataclass(frozen=True)
class Stroke:
    """A line of a pen: its points (N, 2) and its width, um; its colour as light that passes."""

    points: Ring
    width_um: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class SlidePlan:
    """Outlines on a slide, um.

    node: of the lymph node. fat: of lumps of fat around it. tumours: of metastases, all within the
    node. holes: lymphoid tissue within metastases, which is no tumour. follicles: germinal centres.
    strokes: of a pen.
    """

    node: Ring
    fat: tuple[Ring, ...]
    tumours: tuple[Ring, ...]
    holes: tuple[Ring, ...]
    follicles: tuple[Ring, ...]
    strokes: tuple[Stroke, ...]


def plan_slide(
    rng: np.random.Generator, size_um: tuple[float, float], *, with_tumour: bool, with_pen: bool
) -> SlidePlan:
    """Draw where things lie.

    Args:
        rng: draws all of it.
        size_um: width and height of the slide.
        with_tumour: whether there are metastases.
        with_pen: whether somebody marked the slide.
    """
    size = np.array(size_um)
    middle = size * rng.uniform(0.47, 0.53, 2)
    radii = size * rng.uniform(0.33, 0.39, 2)
    node = _outline(rng, middle, radii, 0.16)
    fat = []
    for angle in rng.uniform(0, 2 * np.pi, rng.integers(3, 6)):
        at = middle + radii * rng.uniform(0.9, 1.05) * (np.cos(angle), np.sin(angle))
        fat.append(_outline(rng, at, min(size) * rng.uniform(0.08, 0.16, 2), 0.2))
    tumours = _metastases(rng, node, min(size)) if with_tumour else []
    holes = []
    for ring in tumours[:1]:
        radius = _reach(ring, ring.mean(axis=0))
        at = ring.mean(axis=0) + radius * rng.uniform(-0.25, 0.25, 2)
        holes.append(_outline(rng, at, radius * rng.uniform(0.2, 0.32, 2), 0.15))
    follicles = [
        _outline(rng, at, rng.uniform(45, 110, 2) * (1.0, 1.0), 0.12)
        for at in _points_within(rng, node, 40, min(size) / 14)[: rng.integers(9, 16)]
    ]
    strokes = tuple(_stroke(rng, middle, radii) for _ in range(rng.integers(1, 3) * with_pen))
    return SlidePlan(node, tuple(fat), tuple(tumours), tuple(holes), tuple(follicles), strokes)


def _metastases(rng: np.random.Generator, node: Ring, side: float) -> list[Ring]:
    """One large metastasis and some small ones that do not touch: the large one first."""
    wanted = [side * rng.uniform(0.15, 0.21)]
    wanted += list(side * rng.uniform(0.025, 0.07, rng.integers(2, 5)))
    rings: list[Ring] = []
    taken: list[tuple[Ring, float]] = []
    for radius in wanted:
        at = _free_place(rng, node, radius, taken)
        while at is None and not taken:  # there is one at least
            radius *= 0.8
            at = _free_place(rng, node, radius, taken)
        if at is not None:
            rings.append(_outline(rng, at, radius * rng.uniform(0.8, 1.15, 2), 0.22))
            taken.append((at, radius))
    return rings


def _free_place(
    rng: np.random.Generator, node: Ring, radius: float, taken: Sequence[tuple[Ring, float]]
) -> Ring | None:
    """A point in the node with room for a metastasis of that radius; None where none was drawn."""
    for at in _points_within(rng, node, 60, radius * 1.35 + _RIM_UM):
        if all(np.hypot(*(at - other)) > 1.4 * (radius + own) + 80 for other, own in taken):
            return at
    return None


def _outline(
    rng: np.random.Generator, middle: NDArray[np.float64], radii: NDArray[np.float64], rough: float
) -> Ring:
    """An uneven ellipse; rough: 0 (even) to 0.3 (lobed)."""
    angle = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
    reach = np.ones(_POINTS)
    for order in range(2, 9):
        reach += rough * rng.normal() / order * np.cos(order * angle + rng.uniform(0, 6.28))
    reach = np.clip(reach, 0.6, 1.3)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(middle + around * reach[:, None] * radii)


def _points_within(rng: np.random.Generator, ring: Ring, count: int, margin: float) -> list[Ring]:
    """Points in an outline around its middle, `margin` um or more from its edge."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    points = [rng.uniform(low, high) for _ in range(4 * count)]
    return [at for at in points if _is_within(ring, at) and _reach(ring, at) >= margin][:count]


def _is_within(ring: Ring, at: Ring) -> bool:
    middle = ring.mean(axis=0)
    angles = np.arctan2(*(ring - middle).T[::-1])
    nearest = int(
        np.abs(np.angle(np.exp(1j * (angles - np.arctan2(*(at - middle)[::-1]))))).argmin()
    )
    return bool(np.hypot(*(at - middle)) < np.hypot(*(ring[nearest] - middle)))


def _reach(ring: Ring, at: Ring) -> float:
    """The distance of a point to the nearest one of an outline."""
    return float(np.hypot(*(ring - at).T).min())


def _stroke(rng: np.random.Generator, middle: Ring, radii: Ring) -> Stroke:
    """An arc beside the node."""
    first, turn = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.1)
    angle = first + turn * np.linspace(0, 1, 30)
    points = middle + 1.22 * radii * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points += np.cumsum(rng.normal(0, 6, points.shape), axis=0)
    colours = ((0.10, 0.22, 0.62), (0.08, 0.42, 0.24), (0.12, 0.12, 0.14))
    return Stroke(points, rng.uniform(160, 240), colours[rng.integers(len(colours))])


def outlines(plan: SlidePlan) -> Sequence[tuple[str, Ring]]:
    """Return the outlines of tumour by ASAP's groups: _0, and _2 for what is cut out; um."""
    return [("_0", ring) for ring in plan.tumours] + [("_2", ring) for ring in plan.holes]
