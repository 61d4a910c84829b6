"""Plans of tiles: whatever is automatic is settled, within what the device bears."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from midog.config.load import parse_config
from midog.inference.tile_plan import LARGEST_TILE, TileLimits, TilePlan, plan_tiles

AUTO = parse_config({}).inference
sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
limits = st.builds(
    TileLimits,
    magnification=st.sampled_from([0.5, 1.0, 1.5625, 2.0]),
    pixels=st.integers(1024**2, 1 << 25),
    one_by_one=st.booleans(),
)


@given(sizes, limits)
def test_automatic_tiles_are_within_the_limits(size: tuple[int, int], limits: TileLimits) -> None:
    plan = plan_tiles(size, 1.5, AUTO, limits)
    assert (plan.scale, plan.size, plan.overlap) == (1.5, size, AUTO.overlap)
    assert plan.tile % 32 == 0
    assert plan.tile <= max(limits.largest_tile, 256)
    seen = (plan.tile * limits.magnification) ** 2
    assert plan.batch_size == 1 or plan.batch_size * seen <= limits.pixels
    assert plan.batch_size <= len(plan.places())
    assert plan.batch_size == 1 or not limits.one_by_one


@given(sizes, limits)
def test_given_numbers_are_kept(size: tuple[int, int], limits: TileLimits) -> None:
    settings = parse_config({"inference": {"tile": 320, "overlap": 80, "batch_size": 5}}).inference
    plan = plan_tiles(size, 1.0, settings, limits)
    assert (plan.tile, plan.overlap, plan.batch_size) == (320, 80, 5)


def test_the_largest_tile_is_as_the_network_sees_it() -> None:
    def largest(magnification: float, pixels: int) -> int:
        return TileLimits(magnification, pixels, one_by_one=False).largest_tile

    assert largest(1.0, 1 << 30) == LARGEST_TILE
    assert largest(2.0, 1 << 30) == LARGEST_TILE // 2
    assert largest(1.0, 1000**2) == 992


def test_places_of_some_tiles_have_inner_edges_only_towards_each_other() -> None:
    plan = TilePlan((1.0, 1.0), (640, 448), tile=256, overlap=64, batch_size=1)
    looked_at = np.array([True, True, False, True, False, True])
    places = plan.places(looked_at)
    assert places.corners.tolist() == [[0, 0], [192, 0], [0, 192], [384, 192]]
    left, top, right, bottom = places.inner.T.tolist()
    assert left == [False, True, False, False]
    assert top == [False, False, True, False]
    assert right == [True, False, False, False]
    assert bottom == [True, False, False, False]
    assert len(places[1:3]) == 2
    assert places[1:3].corners.tolist() == [[192, 0], [0, 192]]
