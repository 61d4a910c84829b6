"""Flips: eight symmetries, and boxes that follow their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from midog.augment.flip import SYMMETRIES, turn_boxes, turns_of


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_box_is_where_its_corners_go(turn):
    grid = np.arange(16 * 16).reshape(16, 16)
    moved = np.rot90(grid[:, ::-1] if turn >= 4 else grid, turn % 4)
    x1, y1, x2, y2 = turn_boxes(np.array([[2, 3, 9, 7]], np.float32), np.array([turn]), 16)[
        0
    ].astype(int)
    assert set(moved[y1:y2, x1:x2].ravel()) == set(grid[3:7, 2:9].ravel())


@pytest.mark.parametrize("turn", range(8))
def test_a_symmetry_is_its_turn(turn):
    grid = np.arange(16).reshape(4, 4)
    transposed, upside_down, mirrored = SYMMETRIES[turn]
    moved = grid.T if transposed else grid
    moved = moved[::-1] if upside_down else moved
    moved = moved[:, ::-1] if mirrored else moved
    expected = np.rot90(grid[:, ::-1] if turn >= 4 else grid, turn % 4)
    assert moved.tolist() == expected.tolist()


def test_numbers_are_spread_over_the_turns():
    numbers = np.array([[0], [0.124], [0.125], [0.999999], [1]], np.float32)
    assert turns_of(numbers, True)["turns"].tolist() == [0, 0, 1, 7, 7]
