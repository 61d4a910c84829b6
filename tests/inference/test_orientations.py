"""Orientations: boxes come back to the pixel, in images of odd and even sides; each set is a
group."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.errors import ConfigError
from midog.inference.orientations import AS_IT_IS, ORIENTATIONS, Orientation, orientations

SIZES = [(7, 5), (8, 6), (7, 6), (8, 5), (6, 6), (5, 5), (1, 4)]


def painted(width: int, height: int, box: tuple[int, int, int, int]) -> torch.Tensor:
    x1, y1, x2, y2 = box
    image = torch.zeros((1, height, width, 3), dtype=torch.uint8)
    image[:, y1:y2, x1:x2] = 255
    return image


def box_of(image: torch.Tensor) -> np.ndarray:
    """The box of the white pixels of (1, H, W, 3), (1, 4)."""
    y, x = np.nonzero(image[0, ..., 0].numpy())
    return np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], dtype=np.float64)


@pytest.mark.parametrize("orientation", ORIENTATIONS[8], ids=str)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_box_comes_back_to_the_pixel(orientation: Orientation, width: int, height: int) -> None:
    for x1 in range(width):
        for y1 in range(height):
            box = (x1, y1, min(x1 + 2, width), min(y1 + 1, height))
            turned = orientation.turn(painted(width, height, box))
            back = orientation.turn_back(box_of(turned), width, height)
            assert back.tolist() == [list(box)]


def test_boxes_keep_their_parts_of_a_pixel_and_none_stay_none() -> None:
    boxes = np.array([[0.125, 1.5, 3.0625, 2.75]])
    back = Orientation(1, mirrored=True).turn_back(boxes, 5, 9)
    assert back.tolist() == [[1.5, 0.125, 2.75, 3.0625]]
    assert Orientation(3).turn_back(np.zeros((0, 4)), 5, 9).shape == (0, 4)


def test_as_it_is_nothing_is_copied() -> None:
    image = torch.zeros((1, 4, 5, 3))
    assert AS_IT_IS.turn(image) is image


@pytest.mark.parametrize("number", list(ORIENTATIONS))
def test_a_set_is_a_group(number: int) -> None:
    marked = torch.arange(16).reshape(1, 4, 4, 1)
    shown = {tuple(own.turn(marked).flatten().tolist()) for own in orientations(number)}
    assert len(shown) == number
    for first in orientations(number):
        again = {
            tuple(own.turn(first.turn(marked)).flatten().tolist()) for own in orientations(number)
        }
        assert again == shown


@pytest.mark.parametrize("number", [0, 3, 16, -1])
def test_other_numbers_are_refused(number: int) -> None:
    with pytest.raises(ConfigError, match=rf"^{number} orientations .* among 1, 2, 4, 8$"):
        orientations(number)
