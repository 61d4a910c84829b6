"""Regions of pixels: white beyond an image's edges, tiles that cover a region once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from midog.images.pixels import Pixels, crop_mirrored, crop_on_white, pieces
from tests.images.pictures import PIXELS

SIDES = st.integers(1, 40)


@given(
    st.tuples(st.integers(0, 99), st.integers(0, 99)),
    st.tuples(SIDES, SIDES),
    st.tuples(SIDES, SIDES),
)
def test_pieces_cover_a_region_once(
    corner: tuple[int, int], shape: tuple[int, int], tile: tuple[int, int]
) -> None:
    y, x = np.indices(shape) + np.reshape(corner[::-1], (2, 1, 1))
    times = np.zeros(shape, int)
    for row, column, source, target in pieces(corner, shape, tile):
        inside = np.indices(tile)[(slice(None), *source)]
        np.testing.assert_array_equal(inside[0] + row * tile[0], y[target])
        np.testing.assert_array_equal(inside[1] + column * tile[1], x[target])
        times[target] += 1
    assert (times == 1).all()


@given(st.integers(-200, 200), st.integers(-200, 200), st.integers(0, 90), st.integers(0, 90))
def test_a_crop_is_white_beyond_the_image(x: int, y: int, width: int, height: int) -> None:
    def read_into(left: int, top: int, out: Pixels) -> None:
        assert min(left, top) >= 0
        assert min(out.shape) > 0
        out[:] = PIXELS[top : top + out.shape[0], left : left + out.shape[1]]

    padded = np.pad(PIXELS, ((300, 300), (300, 300), (0, 0)), constant_values=255)
    out = np.zeros((height, width, 3), np.uint8)
    crop_on_white((150, 130), read_into, x, y, out)
    expected = padded[300 + y : 300 + y + height, 300 + x : 300 + x + width]
    np.testing.assert_array_equal(out, expected)


@given(st.integers(-200, 200), st.integers(-200, 200), SIDES, SIDES)
def test_a_crop_is_mirrored_beyond_the_image(x: int, y: int, width: int, height: int) -> None:
    def read_into(left: int, top: int, out: Pixels) -> None:
        assert min(left, top) >= 0
        out[:] = PIXELS[top : top + out.shape[0], left : left + out.shape[1]]
        assert left + out.shape[1] <= PIXELS.shape[1]
        assert top + out.shape[0] <= PIXELS.shape[0]

    padded = np.pad(PIXELS, ((300, 300), (300, 300), (0, 0)), mode="reflect")
    out = np.empty((height, width, 3), np.uint8)
    crop_mirrored((PIXELS.shape[1], PIXELS.shape[0]), read_into, x, y, out)
    expected = padded[y + 300 : y + 300 + height, x + 300 : x + 300 + width]
    np.testing.assert_array_equal(out, expected)
