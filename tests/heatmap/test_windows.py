"""Windows read from a slide whose colours say where a px is from: concentric at every scale."""

from __future__ import annotations

import numpy as np
import pytest

from midog.heatmap.grid import Block, MapGrid
from midog.heatmap.windows import read_windows, windows_ahead
from midog.images.image import as_image
from midog.models.classifiers.views import View

STEP = 8


def places(width: int = 1600, height: int = 1200) -> np.ndarray:
    """Red says x and green y, in steps of 8 px."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width) // STEP
    pixels[..., 1] = (np.arange(height) // STEP)[:, None]
    return pixels


def middles(windows: np.ndarray) -> np.ndarray:
    """Mean x y of what windows show, level-0 px."""
    return (windows[..., :2].mean(axis=(1, 2)) + 0.5) * STEP


VIEWS = (View(32), View(32, 4), View(16, 16))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_all_views_of_a_px_show_its_middle(scale):
    image, stride = as_image(places(), None), 24
    grid = MapGrid(image.scaled_size(scale), (scale, scale), 32, stride)
    chosen = np.zeros((3, 4), bool)
    chosen[[0, 1, 2], [3, 0, 2]] = True
    windows = read_windows(image, grid, VIEWS, Block(10, 13, 14, 18), chosen)
    assert windows.rows.tolist() == [10, 11, 12]
    assert windows.columns.tolist() == [17, 14, 16]
    expected = (np.stack([windows.columns, windows.rows], axis=1) + 0.5) * stride / scale
    for view, pixels in zip(VIEWS, windows.cut(0, 3), strict=True):
        assert pixels.shape == (3, view.side, view.side, 3)
        inside = (pixels != 255).any(axis=(1, 2, 3)) & (pixels[..., 2] == 0).all(axis=(1, 2))
        assert inside.any() or view.downsample == 16
        # up to half a px of the view, and what steps of 8 px round
        away = np.abs(middles(pixels) - expected)[inside]
        assert away.max(initial=0) <= view.downsample / scale / 2 + 2


def test_beyond_the_edges_is_white():
    image = as_image(places(), None)
    grid = MapGrid((1600, 1200), (1.0, 1.0), 32, 32)
    windows = read_windows(image, grid, (View(64, 2),), Block(0, 1, 0, 1), np.ones((1, 1), bool))
    (pixels,) = windows.cut(0, 1)
    assert (pixels[0, :20, :20] == 255).all()
    assert (pixels[0, 60, 60] < 100).any()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_blocks_come_in_order_and_alike_whoever_reads(workers):
    image = as_image(places(), None)
    grid = MapGrid((1600, 1200), (1.0, 1.0), 64, 32)
    blocks = [
        (block, np.ones((block.bottom - block.top, block.right - block.left), bool))
        for top, bottom in grid.block_rows()
        for block in grid.blocks(top, bottom)
    ]
    assert len(blocks) > 3
    coming = list(windows_ahead(image, grid, (View(64),), blocks, workers))
    assert sum(len(windows.rows) for windows in coming) == grid.shape[0] * grid.shape[1]
    for (block, chosen), windows in zip(blocks, coming, strict=True):
        alone = read_windows(image, grid, (View(64),), block, chosen)
        assert len(windows) == len(alone) == chosen.size
        assert np.array_equal(windows.cut(0, 40)[0], alone.cut(0, 40)[0])
        assert np.array_equal(windows.cut(5, 7)[0], alone.cut(0, 40)[0][5:7])


def test_a_reader_that_is_left_early_ends():
    image = as_image(places(), None)
    grid = MapGrid((1600, 1200), (1.0, 1.0), 64, 64)
    blocks = [(Block(0, 1, n, n + 1), np.ones((1, 1), bool)) for n in range(9)]
    coming = windows_ahead(image, grid, (View(64),), blocks, 2)
    assert next(coming).columns.tolist() == [0]
    coming.close()
