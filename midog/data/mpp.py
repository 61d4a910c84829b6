"""The mpp (micrometres per px of level 0) of an ROI or image: which of several statements holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from midog.data.roi import Roi
from midog.errors import ImageError

if TYPE_CHECKING:
    from midog.images.image import SlideImage

LARGEST_MPP = 100.0
"""No mpp is as large, um/px."""


def roi_mpp(roi: Roi, image_mpp: float | None, given: float | None = None) -> float:
    """The mpp of an ROI.

    Args:
        roi: its own mpp is what the split, else the annotation states.
        image_mpp: what its image file states, um/px; None where it does not.
        given: what the user gave for all images, um/px; overrules all else.

    Returns:
        um/px, over 0 and below LARGEST_MPP.

    Raises:
        ImageError: where none is stated, or the one that holds is out of range.
    """
    return _checked(roi.file_name, first_mpp(given, roi.mpp, image_mpp), "the split")


def mpp_of_image(image: SlideImage, given: float | None = None) -> float:
    """The mpp of an image that is no ROI of a data folder.

    Args:
        image: an open image.
        given: what the user gave, um/px; overrules what the file states.

    Returns:
        um/px, over 0 and below LARGEST_MPP.

    Raises:
        ImageError: where none is stated, or the one that holds is out of range.
    """
    return _checked(str(image.path), first_mpp(given, image.mpp))


def first_mpp(*stated: float | None) -> float | None:
    """The first of several statements of an mpp that is made, None where none is."""
    return next((mpp for mpp in stated if mpp is not None), None)


def area_mm2(width: int | None, height: int | None, mpp: float | None) -> float:
    """The area of an image of that many px, mm2; NaN where a side or its mpp is unknown."""
    return width * height * (mpp / 1000) ** 2 if width and height and mpp else math.nan


def _checked(name: str, mpp: float | None, column_of: str = "") -> float:
    """An mpp in range; ImageError where it is not stated (None) or out of range.

    name: the image. column_of: the file in which a column `mpp` would help, "" for none.
    """
    column = f", or a column `mpp` in {column_of}" if column_of else ""
    fix, settings = f"give {{mpp}} in um per px, for example 0.25{column}", {"mpp": None}
    if mpp is None:
        raise ImageError(f"{name}: its mpp (um per px) is unknown", fix, settings)
    if not 0 < mpp < LARGEST_MPP:
        raise ImageError(f"{name}: mpp {mpp:g} is out of range", fix, settings)
    return mpp
