"""From a location to the pixels of its patch."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from midog.images.pixels import crop_on_white
from midog.images.tiff_mapped import AnyPixels, crop_into
from midog.loading.locations import Location


def cut_patch(image: AnyPixels, x: int, y: int, side: int, out: NDArray[np.uint8]) -> None:
    """Copy the patch at x, y into `out` (side, side, 3) uint8, white beyond the image's edge."""
    crop_on_white(
        (image.shape[1], image.shape[0]), partial(crop_into, image), x, y, out[:side, :side]
    )


def cut_location(image: AnyPixels, place: Location, out: NDArray[np.uint8]) -> None:
    """Fill `out` (side, side, 3) uint8 with the patch of a location, resampled from its window."""
    import cv2

    side = len(out)
    if place.window in (None, side):
        cut_patch(image, place.x, place.y, side, out)
        return
    window = _view(image, place.x, place.y, place.window)
    if window is None:
        window = np.empty((place.window, place.window, 3), np.uint8)
        cut_patch(image, place.x, place.y, place.window, window)
    out[...] = cv2.resize(window, (side, side), interpolation=cv2.INTER_LINEAR)


def patch_at(image: AnyPixels, place: Location, spare: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the patch of a location: a view of its ROI where that is possible, else cut into
    `spare` (side, side, 3) uint8."""
    side = len(spare)
    view = _view(image, place.x, place.y, side) if place.window in (None, side) else None
    if view is not None:
        return view
    cut_location(image, place, spare)
    return spare


def _view(image: AnyPixels, x: int, y: int, side: int) -> NDArray[np.uint8] | None:
    """The region of an image, where that needs no copy."""
    inside = min(x, y) >= 0 and y + side <= image.shape[0] and x + side <= image.shape[1]
    if inside and isinstance(image, np.ndarray):
        return image[y : y + side, x : x + side]
    return None
