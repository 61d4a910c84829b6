"""Mitotic figures of the phantom by phase, and imposters by kind: one window of stain a cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from midog.data.phantom.cells import Tumour
from midog.data.phantom.paint import FloatImage, Grain, Window, inside, outline

FIGURE_SIDE = 104
"""Side of the window of a mitotic figure or an imposter, px."""


def _round_cell(
    rng: np.random.Generator, window: Window, tumour: Tumour, grain: Grain, depth: FloatImage
) -> None:
    """Body of a dividing cell: rounded up, cleared, finely granular, with a faint membrane."""
    speckle = 1 + 0.22 * grain.cut(rng, window.side, 0) + 0.12 * grain.cut(rng, window.side, 2)
    pale = rng.uniform(0.5, 0.95)
    rim = np.exp(-(((depth - 1) / 1.4) ** 2)) * rng.uniform(0.0, 0.10)
    window.over(inside(depth + 3, 4) * rng.uniform(0, 0.3), 0.03, 0.07)
    window.over(
        inside(depth, 3),
        tumour.cytoplasm_h * pale * speckle + rim / 2,
        tumour.cytoplasm_e * pale * speckle + rim,
    )


def _chromosomes(
    rng: np.random.Generator, window: Window, grain: Grain, depth: FloatImage, ragged: float
) -> None:
    """Condensed chromatin: dark, without a membrane, its edge frayed by `ragged` px."""
    fray = 0.75 * grain.cut(rng, window.side, 1) + 0.5 * grain.cut(rng, window.side, 0)
    depth = depth + ragged * fray
    h = rng.uniform(0.9, 1.4) * (1 + 0.16 * grain.cut(rng, window.side, 1))
    window.over(inside(depth, 2.2), h, rng.uniform(0.2, 0.4))


def _bar(
    along: FloatImage, across: FloatImage, length: float, width: float, bend: float = 0.0
) -> FloatImage:
    """Signed depth in px of a rounded bar along `along`, its ends bent by `bend` px."""
    half = length / 2
    bowed = across - bend * (along / half) ** 2
    beyond = np.maximum(np.abs(along) - (half - width / 2), 0)
    return np.asarray(width / 2 - np.hypot(beyond, bowed), np.float32)


def _prometaphase(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    cell = rng.uniform(25, 31)
    _round_cell(
        rng,
        window,
        tumour,
        grain,
        outline(rng, window.x, window.y, (cell, cell * rng.uniform(0.88, 1)), 0.05),
    )
    radius = rng.uniform(11, 15)
    along, across = window.turned(rng.uniform(0, np.pi))
    depth = outline(
        rng, along, across, (radius * rng.uniform(1, 1.25), radius * rng.uniform(0.8, 1)), 0.22
    )
    if rng.random() < 0.3:  # a ring: the chromosomes around the cleared centre
        depth = np.minimum(
            depth, np.hypot(along - rng.normal(0, 2), across) - rng.uniform(2.5, 4.5)
        )
    for angle in rng.uniform(
        0, 2 * np.pi, rng.integers(5, 10)
    ):  # chromosome arms stand out like hairs
        out, aside = window.turned(float(angle))
        arm = _bar(
            out - radius, aside, rng.uniform(6, 11), rng.uniform(2.2, 3.4), rng.normal(0, 1.5)
        )
        depth = np.maximum(depth, arm)
    _chromosomes(rng, window, grain, depth, rng.uniform(1.8, 3.0))
    return window


def _metaphase(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    cell = rng.uniform(26, 32)
    along, across = window.turned(rng.uniform(0, np.pi))
    _round_cell(rng, window, tumour, grain, outline(rng, along, across, (cell * 0.95, cell), 0.05))
    length = rng.uniform(32, 46)
    width = rng.uniform(8, 0.35 * length)
    depth = _bar(along, across, length, width, rng.normal(0, 2.5))
    if rng.random() < 0.25:  # a chromosome that has not congressed
        aside = width / 2 + rng.uniform(3, 6)
        depth = np.maximum(depth, 2.2 - np.hypot(along - rng.uniform(-10, 10), across - aside))
    _chromosomes(rng, window, grain, depth, rng.uniform(0.9, 1.9))
    return window


def _anaphase(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    cell = rng.uniform(26, 31)
    along, across = window.turned(rng.uniform(0, np.pi))
    _round_cell(
        rng, window, tumour, grain, outline(rng, along, across, (cell * 0.92, cell * 1.15), 0.04)
    )
    apart, width = rng.uniform(18, 30), rng.uniform(6.5, 10)
    bend = rng.uniform(0.02, 0.15) * apart
    halves = []
    for side in (-1, 1):  # the ends of both plates trail towards the middle
        length = rng.uniform(25, 34)
        place = side * apart / 2
        halves.append(_bar(along - rng.normal(0, 1), across - place, length, width, -side * bend))
    _chromosomes(rng, window, grain, np.maximum(*halves), rng.uniform(0.9, 1.7))
    return window


def _telophase(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    along, across = window.turned(rng.uniform(0, np.pi))
    apart, cell = rng.uniform(33, 44), rng.uniform(18, 22)
    lobes = [
        outline(rng, along, across - side * apart * 0.42, (cell * 1.1, cell), 0.04)
        for side in (-1, 1)
    ]
    waist = _bar(across, along, apart, rng.uniform(14, 24))
    _round_cell(rng, window, tumour, grain, np.maximum(np.maximum(*lobes), waist))
    plates = []
    for side in (-1, 1):
        place = side * apart / 2
        length, width = rng.uniform(20, 27), rng.uniform(6.5, 9.5)
        plates.append(
            _bar(
                along - rng.normal(0, 1.5), across - place, length, width, -side * rng.uniform(0, 3)
            )
        )
    _chromosomes(rng, window, grain, np.maximum(*plates), rng.uniform(0.6, 1.2))
    return window


def _shrunken_cell(
    rng: np.random.Generator,
    window: Window,
    grain: Grain,
    depth: FloatImage,
    gap_px: float,
    eosin: float,
) -> None:
    """Body of a dying cell: hypereosinophilic, shrunk from its neighbours by an uneven gap."""
    uneven = (0.55 * gap_px) * grain.cut(rng, window.side, 2)
    side = window.x * rng.normal(0, 0.08) + window.y * rng.normal(0, 0.08)
    gap = inside(depth + gap_px + uneven + side, 5) * rng.uniform(0.5, 0.95)
    window.over(gap, 0.03, 0.05)
    speckle = 1 + 0.14 * grain.cut(rng, window.side, 1) + 0.08 * grain.cut(rng, window.side, 0)
    fringe = depth + 0.8 * grain.cut(rng, window.side, 1)
    window.over(inside(fringe, 3), rng.uniform(0.1, 0.2) * speckle, eosin * speckle)


def _pyknotic(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    cell = rng.uniform(15, 23)
    along, across = window.turned(rng.uniform(0, np.pi))
    body = outline(rng, along, across, (cell, cell * rng.uniform(0.65, 1)), 0.14)
    _shrunken_cell(rng, window, grain, body, rng.uniform(0, 4), rng.uniform(0.28, 0.55))
    radius = rng.uniform(7.5, 12)
    along, across = along - rng.normal(0, 2), across - rng.normal(0, 2)
    depth = outline(rng, along, across, (radius, radius * rng.uniform(0.65, 1)), 0.10)
    h = rng.uniform(0.85, 1.4) * (1 + 0.06 * grain.cut(rng, window.side, 2))
    window.over(inside(depth, 2.5), h, 0.35)
    return window


def _apoptotic(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    cell = rng.uniform(13, 20)
    along, across = window.turned(rng.uniform(0, np.pi))
    body = outline(rng, along, across, (cell, cell * rng.uniform(0.65, 1)), 0.14)
    _shrunken_cell(rng, window, grain, body, rng.uniform(2, 6), rng.uniform(0.4, 0.7))
    amount = rng.uniform(0.9, 1.4)
    for rank in range(rng.integers(3, 9)):  # smooth balls of chromatin, the first the largest
        radius = rng.uniform(4.5, 8) if rank == 0 else rng.uniform(1.8, 4.2)
        off, (x, y) = (
            (0.2 if rank == 0 else rng.uniform(0.45, 0.85)) * cell,
            window.turned(rng.uniform(0, 2 * np.pi)),
        )
        ball = outline(rng, x - off, y, (radius, radius * rng.uniform(0.7, 1)), 0.06)
        window.over(inside(ball, 2), amount, 0.4)
    return window


def _hyperchromatic(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    window = Window(FIGURE_SIDE)
    along, across = window.turned(rng.uniform(0, np.pi))
    radius, aspect = rng.uniform(13, 19), rng.uniform(1.0, 1.7)
    depth = outline(rng, along, across, (radius * aspect**0.5, radius / aspect**0.5), 0.12)
    window.over(inside(depth + rng.uniform(2, 5), 4) * rng.uniform(0, 0.7), 0.04, 0.1)
    h = rng.uniform(0.8, 1.15) * (1 + 0.14 * grain.cut(rng, window.side, 2))
    h += np.exp(-(((depth - 2) / 1.6) ** 2)) * 0.15
    window.over(inside(depth, 2), h * (1 + 0.08 * grain.cut(rng, window.side, 1)), 0.35)
    return window


Painter = Callable[[np.random.Generator, Tumour, Grain], Window]
PHASES: dict[str, Painter] = {
    "prometaphase": _prometaphase,
    "metaphase": _metaphase,
    "anaphase": _anaphase,
    "telophase": _telophase,
}
"""Mitotic figures by phase."""
IMPOSTERS: dict[str, Painter] = {
    "pyknotic": _pyknotic,
    "apoptotic": _apoptotic,
    "hyperchromatic": _hyperchromatic,
}
"""Look-alikes by kind."""
