"""Crops around points of an image, as a classifier of crops sees them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from midog.data.mpp import resampling
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.loading.crops import Border, crop_corner, cut_crop
from midog.mpp import Mpp


def point_crops(
    image: SlideImage,
    mpp: Mpp,
    centres: NDArray[np.float64],
    *,
    side: int,
    border: Border,
    model_mpp: float,
) -> Callable[[int, Pixels], None]:
    """Return what cuts the crop around a point of an image that is open.

    Args:
        image: Open while crops are cut.
        mpp: um/px of the image.
        centres: (N, 2) x y, level-0 px.
        side: Of a crop, px.
        border: What a crop shows beyond the image's edge.
        model_mpp: um/px of a crop.

    Returns:
        A function of the number of a point and of (side, side, 3) uint8 that it fills. It raises
        ImageError where pixels cannot be read.
    """
    scale = resampling(str(image.path), (image.width, image.height), mpp, model_mpp)
    size, level = image.scaled_size(scale), np.array(scale)

    def read_into(x: int, y: int, out: Pixels) -> None:
        out[:] = image.read_scaled(x, y, out.shape[1], out.shape[0], scale)

    def cut(number: int, out: Pixels) -> None:
        x, y = (centres[number] * level).tolist()
        cut_crop(size, read_into, *crop_corner(x, y, side), border, out)

    return cut
