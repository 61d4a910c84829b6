"""The mask of areas that somebody drew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from midog.data.mpp import mpp_of_image
from midog.errors import DataError
from midog.images.image import SlideImage
from midog.mpp import MppLike
from midog.tissue.from_pixels import scale_of_mask
from midog.tissue.kinds import GLASS, TISSUE
from midog.tissue.mask import TissueMask
from midog.tissue.qupath_areas import Area, read_areas
from midog.tissue.rings import fill_area

_UM = 2.0
"""Um per px of the mask, more over 17 mm2 (`MOST_PX`): 6 um for a slide of 150 mm2."""


def mask_of_areas(path: Path, image: SlideImage, mpp: MppLike | None = None) -> TissueMask:
    """Read the areas of a GeoJSON file as the mask of an image; see `read_areas`.

    Args:
        path: The file; its coordinates are level-0 px of the image.
        image: Open.
        mpp: um/px of level 0; overrules what the image states.

    Raises:
        DataError: The file cannot be read, or no area of it reaches into the image.
        ImageError: The image's mpp is unknown.
    """
    return mask_with(read_areas(path), image, mpp, str(path))


def mask_with(
    areas: Sequence[Area], image: SlideImage, mpp: MppLike | None, source: str
) -> TissueMask:
    """Return the mask of areas; `source` names where they are from. See `mask_of_areas`."""
    own_mpp, size = mpp_of_image(image, mpp), (image.width, image.height)
    scale = scale_of_mask(size, own_mpp, _UM)
    shape = round(size[1] * scale[1]), round(size[0] * scale[0])
    inside = np.zeros(shape, bool)
    for area in sorted(areas, key=lambda area: area.is_cut):
        fill_area(inside, [ring * scale for ring in area.rings], not area.is_cut)
    if not inside.any():
        raise DataError(
            f"{source}: no area reaches into {image.path.name} of {size[0]} x {size[1]} px",
            "give areas of this image, in px of level 0",
        )
    kinds = np.where(inside, np.uint8(TISSUE), np.uint8(GLASS))
    return TissueMask(kinds, scale, size, own_mpp, f"areas of {source}")
