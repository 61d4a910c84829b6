"""Each texture has the stain of what it is."""

from __future__ import annotations

import numpy as np
import pytest

from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.textures import draw_textures


@pytest.mark.slow
def test_textures_have_their_stains() -> None:
    rng = np.random.default_rng(3)
    drawn = vars(draw_textures(rng, draw_tumour(rng), 512, 0.5))
    assert {stain.shape for stain in drawn.values()} == {(2, 256, 256)}
    assert all((stain >= 0).all() and np.isfinite(stain).all() for stain in drawn.values())
    haematoxylin = {name: float(stain[0].mean()) for name, stain in drawn.items()}
    assert max(haematoxylin, key=haematoxylin.__getitem__) == "lymphoid"
    assert haematoxylin["tumour"] > 2 * haematoxylin["stroma"]
    assert (drawn["fat"].sum(axis=0) < 0.02).mean() > 0.6  # empty cells
    assert drawn["stroma"][1].mean() > drawn["stroma"][0].mean()
    assert 1.3 * haematoxylin["pale"] < haematoxylin["lymphoid"]
