"""Textures lie where the plan has them, to some px, and strips leave no seam."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from midog.data.phantom import slide as module
from midog.data.phantom.scanners import SCANNERS
from midog.data.phantom.slide import draw_slide
from midog.data.phantom.slide_plan import plan_slide
from midog.data.phantom.textures import Textures
from midog.images.pixels import Pixels
from midog.tissue.rings import fill_area

SIZE, MPP = (560, 420), 3.0
FLAT = {"tumour": (0.9, 0.0), "lymphoid": (0, 0.9), "pale": (0, 0.7), "stroma": (0, 0.5)}
TEXTURES = Textures(
    **{
        name: np.ones((2, 64, 64), np.float32) * np.array(stain, np.float32)[:, None, None]
        for name, stain in {**FLAT, "fat": (0, 0.1)}.items()
    }
)
QUIET = replace(SCANNERS[0], noise=0, sharpen=0)


def drawn(with_pen: bool = False) -> tuple[Pixels, np.ndarray]:
    """A slide of flat colours, and where it is tumour."""
    rng = np.random.default_rng(5)
    size_um = SIZE[0] * MPP, SIZE[1] * MPP
    plan = plan_slide(rng, size_um, with_tumour=True, with_pen=with_pen)
    pixels = draw_slide(np.random.default_rng(1), plan, TEXTURES, SIZE, MPP, QUIET)
    truth = np.zeros(SIZE[::-1], bool)
    for rings, value in ((plan.tumours, True), (plan.holes, False)):
        for ring in rings:
            fill_area(truth, [ring / MPP], value)
    return pixels, truth


def test_tumour_is_where_the_outlines_say() -> None:
    pixels, truth = drawn()
    red, green = pixels[..., 0].astype(int), pixels[..., 1].astype(int)
    tumour = red < green + 40  # haematoxylin takes red, eosin does not
    tumour &= pixels.min(axis=2) < 150
    near = ndimage.binary_dilation(truth, iterations=5) & ~ndimage.binary_erosion(
        truth, iterations=5
    )
    assert (tumour == truth)[~near].mean() > 0.999
    assert truth.mean() > 0.02


def test_strips_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = drawn()
    monkeypatch.setattr(module, "_STRIP", 97)
    strips, _ = drawn()
    assert np.abs(whole.astype(int) - strips).max() <= 1


def test_a_pen_takes_light_away() -> None:
    bare, _ = drawn()
    pixels, _ = drawn(with_pen=True)
    assert bare.min(axis=2).mean() > pixels.min(axis=2).mean() + 5
