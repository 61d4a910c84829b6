"""The share of a window that is tissue, and where windows with enough of it may be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.metrics.windows import Window
from midog.mpp import Mpp
from midog.tissue.kinds import GLASS, TISSUE
from midog.tissue.mask import TissueMask
from midog.tissue.window_share import allowed_middles, tissue_share


def left_half(height: int = 40, width: int = 60) -> TissueMask:
    """Tissue in the left half of an image of 6 x 4 mm, in px of 0.1 mm."""
    kinds = np.full((height, width), GLASS, np.uint8)
    kinds[:, : width // 2] = TISSUE
    return TissueMask(kinds, (0.01, 0.01), (width * 100, height * 100), Mpp(1.0, 1.0), "drawn")


@pytest.mark.parametrize("shape", ["1:1", "circle"])
def test_the_share_of_a_window(shape: str) -> None:
    mask = left_half()
    window = Window.of(1.0 if shape == "1:1" else math.pi / 4, shape)
    assert window.width_mm == pytest.approx(1)
    assert tissue_share(mask, window, 1.0, 2.0) == pytest.approx(1)
    assert tissue_share(mask, window, 3.0, 2.0) == pytest.approx(0.5)
    assert tissue_share(mask, window, 5.0, 2.0) == 0
    # what lies beyond the image counts neither way
    assert tissue_share(mask, window, 0.0, 0.0) == pytest.approx(1)
    assert tissue_share(mask, window, 50.0, 0.0) == 0


@pytest.mark.parametrize("shape", ["1:1", "circle"])
def test_windows_with_enough_tissue(shape: str) -> None:
    mask = left_half()
    window = Window.of(1.0 if shape == "1:1" else math.pi / 4, shape)
    for least in (0.25, 0.5, 1.0):
        allowed = allowed_middles(mask, window, least)
        for row, column in np.argwhere(np.ones_like(allowed))[::37]:
            share = tissue_share(mask, window, (column + 0.5) / 10, (row + 0.5) / 10)
            assert allowed[row, column] == (share >= least - 1e-6)
    assert allowed[:, :25].all()
    assert not allowed[:, 25:].any()
    assert allowed_middles(mask, window, 0.0).all()
