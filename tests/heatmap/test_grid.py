"""The grid of a map: windows around its px, and the mean of those that overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.heatmap.grid import MapGrid, overlap_mean, overlap_weights


@given(side=st.integers(1, 300), step=st.floats(0.02, 1))
def test_weights_are_the_share_of_a_px_that_a_window_covers(side, step):
    stride = max(1, round(side * step))
    weights = overlap_weights(side, stride)
    assert len(weights) % 2 == 1
    assert weights.sum() * stride == pytest.approx(side)
    for away, weight in enumerate(weights, -(len(weights) // 2)):
        low, high = (away - 0.5) * stride, (away + 0.5) * stride
        covered = max(0.0, min(high, side / 2) - max(low, -side / 2))
        assert weight == pytest.approx(covered / stride, abs=1e-9)


@pytest.mark.parametrize(
    ("side", "stride", "expected"),
    [(96, 96, [1]), (96, 48, [0.5, 1, 0.5]), (96, 32, [1, 1, 1]), (256, 192, [1 / 6, 1, 1 / 6])],
)
def test_weights_of_published_windows(side, stride, expected):
    assert overlap_weights(side, stride) == pytest.approx(expected)


def test_a_px_is_the_mean_of_all_windows_that_cover_it_by_how_much_they_do():
    rng = np.random.default_rng(1)
    raw = rng.random((600, 9)).astype(np.float32)
    raw[rng.random(raw.shape) < 0.3] = np.nan
    mean = overlap_mean(raw, 5, 2)
    weights = overlap_weights(5, 2)
    for row, column in [(0, 0), (3, 4), (255, 3), (256, 8), (599, 1), (300, 5)]:
        if np.isnan(raw[row, column]):
            assert np.isnan(mean[row, column])
            continue
        total = share = 0.0
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                y, x = row + down, column + across
                if 0 <= y < 600 and 0 <= x < 9 and not np.isnan(raw[y, x]):
                    weight = weights[down + 1] * weights[across + 1]
                    total, share = total + weight * raw[y, x], share + weight
        assert mean[row, column] == pytest.approx(total / share, abs=1e-6)
    assert np.array_equal(np.isnan(mean), np.isnan(raw))


def test_nothing_and_one_px_are_maps_as_well():
    assert np.isnan(overlap_mean(np.full((3, 2), np.nan, np.float32), 8, 4)).all()
    assert overlap_mean(np.array([[0.25]], np.float32), 8, 4).tolist() == [[0.25]]


@given(
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    side=st.integers(8, 1500),
    part=st.floats(0.05, 1),
)
def test_blocks_cover_each_px_of_the_map_once(width, height, side, part):
    stride = max(1, round(side * part))
    grid = MapGrid((width, height), (1.0, 1.0), side, max(stride, 4))
    seen = np.zeros(grid.shape, np.int64)
    for top, bottom in grid.block_rows():
        for block in grid.blocks(top, bottom):
            seen[block.top : block.bottom, block.left : block.right] += 1
    assert (seen == 1).all()
    assert (grid.block_side - 1) * grid.stride + side <= max(side, 1024)


def test_boxes_and_centres_of_px():
    grid = MapGrid((100, 60), (0.5, 0.25), 32, 16)
    assert grid.shape == (4, 7)
    boxes = grid.boxes(1, 3)
    assert boxes.shape == (14, 4)
    assert boxes[8].tolist() == [32, 128, 64, 192]
    assert grid.centres(np.array([2]), np.array([1])).tolist() == [[24, 40]]
