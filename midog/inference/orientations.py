"""The orientations in which a tile is shown to a network, and how its boxes are turned back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.errors import ConfigError


@dataclass(frozen=True)
class Orientation:
    """One of the eight orientations of a picture.

    Attributes:
        quarters: Quarter turns, anticlockwise, 0 to 3.
        mirrored: Left and right are swapped, before it is turned.
    """

    quarters: int = 0
    mirrored: bool = False

    def turn(self, images: Tensor) -> Tensor:
        """Turn images (B, H, W, C) of any dtype; for an odd quarter they become (B, W, H, C)."""
        if self == AS_IT_IS:
            return images
        shown = images.flip(2) if self.mirrored else images
        return torch.rot90(shown, self.quarters, dims=(1, 2)).contiguous()

    def turn_back(self, boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
        """Turn boxes of a turned image back.

        Args:
            boxes: (N, 4) float64 `x1 y1 x2 y2`, px of the turned image.
            width, height: Of the image before it was turned, px.

        Returns:
            (N, 4) float64 `x1 y1 x2 y2`, px of the image as it was.
        """
        corners = boxes.reshape(-1, 2, 2)
        x, y = corners[..., 0], corners[..., 1]
        if self.quarters == 1:  # (x, y) was shown at (y, width - x)
            x, y = width - y, x
        elif self.quarters == 2:
            x, y = width - x, height - y
        elif self.quarters == 3:
            x, y = y, height - x
        if self.mirrored:
            x = width - x
        turned = np.stack([x, y], axis=-1)
        return np.concatenate([turned.min(axis=1), turned.max(axis=1)], axis=1)


AS_IT_IS = Orientation()

_TURNED = (AS_IT_IS, Orientation(2), Orientation(1), Orientation(3))
_ALL = (*_TURNED, *(Orientation(turned.quarters, mirrored=True) for turned in _TURNED))

ORIENTATIONS = {number: _ALL[:number] for number in (1, 2, 4, 8)}
"""The orientations by their number: as it is; and upside down; and by each quarter turn; and all of
these mirrored. Each set is a group: what it gives on average does not depend on which of them an
image had.
"""


def orientations(number: int) -> tuple[Orientation, ...]:
    """Return the orientations of a number.

    Raises:
        ConfigError: If the number is none of ORIENTATIONS.
    """
    if number not in ORIENTATIONS:
        choices = ", ".join(map(str, ORIENTATIONS))
        raise ConfigError(
            f"{number} orientations are out of range",
            f"choose {{orientations}} among {choices}",
            {"orientations": None},
        )
    return ORIENTATIONS[number]
