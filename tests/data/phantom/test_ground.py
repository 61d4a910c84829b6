"""Ground of the phantom: maps in range, nests of the requested share, the same for one seed."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.ground import Ground, draw_ground
from midog.data.phantom.placing import lattice

SIDE = 384


def drawn(seed: int, share: float = 0.7) -> Ground:
    rng = np.random.default_rng(seed)
    tumour = replace(draw_tumour(rng), share=share)
    return draw_ground(rng, tumour, SIDE, lattice(rng, SIDE, tumour.spacing))


def test_maps_have_one_size_and_gaps_are_shares():
    ground = drawn(1)
    assert ground.stain.shape == (2, SIDE, SIDE)
    for field in (ground.depth, ground.gaps, ground.fibre_angle):
        assert field.shape == (SIDE, SIDE)
        assert np.isfinite(field).all()
    assert 0 <= ground.gaps.min() <= ground.gaps.max() <= 1


@pytest.mark.parametrize("share", [0.66, 0.84])
def test_nests_take_the_share_of_the_tissue_that_is_tumour(share: float):
    assert (drawn(2, share).depth > 0).mean() == pytest.approx(share, abs=0.02)


def test_the_same_seed_gives_the_same_ground():
    np.testing.assert_array_equal(drawn(3).stain, drawn(3).stain)


def test_drawing_takes_at_most_90_bytes_a_px():
    """8192 x 8192 px took 7 GB."""
    tracemalloc.start()
    try:
        drawn(4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / SIDE**2 < 90
