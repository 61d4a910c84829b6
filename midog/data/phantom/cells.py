"""Cells of the phantom, one small window of stain per cell: the nuclei of tumour and stroma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midog.data.phantom.paint import Grain, Window, inside, outline

NUCLEUS_SIDE = 64
"""Side of the window of an ordinary nucleus, px."""


@dataclass(frozen=True)
class Tumour:
    """A patient's tumour; lengths in px of 0.25 um, stain as concentrations (1 = dark nucleus).

    radius: mean radius of a nucleus.            pleomorphism: spread of its size and shape, 0 to
    0.3.
    vesicular: share of clear nuclei with a dark rim and a nucleolus, 0 to 1.
    chromatin: haematoxylin of a nucleus.        spacing: distance between cells.
    cytoplasm_h, cytoplasm_e: stain of the cytoplasm.
    foamy: how much of it is vacuoles, 0 to 1.   nest: size of the tumour nests.
    share: share of the tissue that is tumour.   collagen: eosin of the stroma.
    lymphocytes: how many there are, 0 to 1.
    """

    radius: float
    pleomorphism: float
    vesicular: float
    chromatin: float
    spacing: float
    cytoplasm_h: float
    cytoplasm_e: float
    foamy: float
    nest: float
    share: float
    collagen: float
    lymphocytes: float


def draw_tumour(rng: np.random.Generator) -> Tumour:
    """A patient's tumour: ductal carcinoma of grade 2 to 3, as it varies between patients."""
    radius = rng.uniform(13.0, 16.5)
    return Tumour(
        radius=radius,
        pleomorphism=rng.uniform(0.10, 0.22),
        vesicular=rng.uniform(0.25, 0.8),
        chromatin=rng.uniform(0.64, 0.84),
        spacing=radius * rng.uniform(2.65, 3.1),
        cytoplasm_h=rng.uniform(0.09, 0.16),
        cytoplasm_e=rng.uniform(0.16, 0.24),
        foamy=rng.uniform(0.1, 0.6),
        nest=rng.uniform(110, 190),
        share=rng.uniform(0.66, 0.84),
        collagen=rng.uniform(0.22, 0.32),
        lymphocytes=rng.uniform(0.2, 1.0),
    )


def tumour_nucleus(rng: np.random.Generator, tumour: Tumour, grain: Grain) -> Window:
    """Nucleus of a carcinoma cell: vesicular with rim and nucleolus, or darker with clumped
    chromatin."""
    window = Window(NUCLEUS_SIDE)
    along, across = window.turned(rng.uniform(0, np.pi))
    radius = tumour.radius * float(np.clip(rng.lognormal(0, tumour.pleomorphism), 0.7, 1.5))
    aspect = rng.uniform(1.0, 1.5)
    depth = outline(
        rng, along, across, (radius * aspect**0.5, radius / aspect**0.5), 0.5 * tumour.pleomorphism
    )
    clear = float(np.clip(tumour.vesicular + rng.normal(0, 0.25), 0, 1))
    if rng.random() < 0.35:  # a clear rim where the cytoplasm shrank from the nucleus
        window.over(inside(depth + rng.uniform(2, 5), 4) * rng.uniform(0.2, 0.7), 0.03, 0.08)
    base = tumour.chromatin * rng.uniform(0.85, 1.15) * (1 - 0.5 * clear)
    clumps = 0.65 * grain.cut(rng, window.side, 1) + 0.6 * grain.cut(rng, window.side, 0)
    h = base * (1 + (0.30 + 0.16 * clear) * clumps)
    rim = np.exp(-(((depth - 1.6) / 1.3) ** 2))
    h += tumour.chromatin * (0.2 + 0.4 * clear) * rim * (1 + 0.35 * grain.cut(rng, window.side, 2))
    eosin = np.full_like(h, tumour.cytoplasm_e * rng.uniform(0.9, 1.4))
    for _ in range(rng.integers(0, 2) + int(clear > 0.6)):
        off_along, off_across = rng.normal(0, radius / 3), rng.normal(0, radius / 3)
        nucleolus = inside(
            rng.uniform(1.8, 3.6) - np.hypot(along - off_along, across - off_across), 2
        )
        h += nucleolus * 0.35
        eosin += nucleolus * 0.2
    window.over(inside(depth, 2), np.maximum(h, 0.08), eosin)
    if rng.random() < 0.3:  # lies above or below the focal plane
        window.blur(rng.uniform(0.8, 1.8))
        window.stain *= rng.uniform(0.6, 0.95)
    return window


def spindle_nucleus(rng: np.random.Generator, grain: Grain, angle: float) -> Window:
    """Nucleus of a fibroblast, long and thin along the fibres at that angle."""
    window = Window(NUCLEUS_SIDE)
    along, across = window.turned(angle + rng.normal(0, 0.15))
    length, width = rng.uniform(12, 24), rng.uniform(2.8, 5.0)
    across = across - rng.normal(0, 2.5) * (along / length) ** 2
    depth = outline(rng, along, across, (length, width), 0.08)
    h = rng.uniform(0.6, 0.95) * (1 + 0.2 * grain.cut(rng, window.side, 1))
    window.over(inside(depth, 2.2) * rng.uniform(0.8, 1), h, 0.25)
    return window


def lymphocyte(rng: np.random.Generator, grain: Grain) -> Window:
    """Small round dark nucleus with clumps, hardly any cytoplasm."""
    window = Window(NUCLEUS_SIDE)
    radius = rng.uniform(8.5, 11.0)
    depth = outline(rng, window.x, window.y, (radius, radius * rng.uniform(0.88, 1)), 0.06)
    window.over(inside(depth + 3, 3) * 0.5, 0.06, 0.12)
    h = rng.uniform(0.7, 1.0) * (1 + 0.28 * grain.cut(rng, window.side, 1))
    window.over(inside(depth, 2), h, 0.2)
    return window
