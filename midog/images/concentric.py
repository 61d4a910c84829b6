"""Views of one place of a slide at any resolutions: all have the same physical centre."""

from __future__ import annotations

import math

import numpy as np

from midog.images.image import SlideImage
from midog.images.pixels import Pixels

_SAME = 2e-3
"""A level that is off the wanted resolution by less is read as it is: over 1024 px that is 1 px to
either side, and sizes of levels are rounded to whole px."""


def read_view(
    image: SlideImage, x: float, y: float, side: int, downsample: float, out: Pixels | None = None
) -> Pixels:
    """Read a square around a point, from a level of the file where one has its resolution.

    Else it is resampled from the nearest finer level. Beyond the image's edges it is white.

    Args:
        image: Open.
        x, y: Its centre, level-0 px; a px reaches from its number to the next.
        side: px of the view.
        downsample: Level-0 px for a px of the view; under 1 it is enlarged.
        out: (side, side, 3) uint8, filled; None: new.

    Returns:
        (side, side, 3) uint8 RGB. Its centre is at most half a px of the view from the point.

    Raises:
        ImageError: Where the file's pixels cannot be decoded.
    """
    level = _level_of(image, downsample)
    if level is None:
        scale = 1 / downsample
        left, top = (_corner(at * scale, side) for at in (x, y))
        read = image.read_scaled(left, top, side, side, scale, image.level_for(scale))
    else:
        width, height = image.levels[level].size
        left = _corner(x * width / image.width, side)
        top = _corner(y * height / image.height, side)
        read = image.read(left, top, side, side, level)
    if out is None:
        return read
    np.copyto(out, read)
    return out


def _level_of(image: SlideImage, downsample: float) -> int | None:
    """The level of that resolution, None where there is none."""
    off = [abs(level.downsample / downsample - 1) for level in image.levels]
    nearest = int(np.argmin(off))
    return nearest if off[nearest] < _SAME else None


def _corner(at: float, side: int) -> int:
    return math.floor(at - side / 2 + 0.5)
