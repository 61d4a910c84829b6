"""The mpp (micrometres per px of level 0) that holds for an ROI or image, and its resampling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from midog.data.csv_text import number_in
from midog.data.roi import Roi
from midog.errors import DataError, ImageError
from midog.mpp import (
    GivenMpp,
    Mpp,
    MppLike,
    Scale,
    StatedMpp,
    as_mpp,
    out_of_range,
    scale_for,
    warn_once_of,
)

if TYPE_CHECKING:
    from midog.images.image import SlideImage

_USUAL = (0.1, 1.0)  # from 100x to 10x: outside figures are hardly told
_FORM = "write um per px as 0.25, or as 0.25/0.26 along x/y"
_MARKED_ENLARGING = 2.0  # a resampling by more than this factor is warned of
_MARKED_SHRINKING = 2.5  # of the 0.2 um/px that a 40x scanner may have, for a model of 0.5
_MOST_PX = 1e9  # of an image that is enlarged by more than that


def roi_mpp(roi: Roi, image: StatedMpp, given: MppLike | None = None) -> Mpp:
    """The mpp of an ROI.

    Args:
        roi: its own mpp is what the split, else the annotation states.
        image: what its image file states.
        given: what the user gave for all images, um/px; overrules all else.

    Raises:
        ImageError: where none is stated, or the one that holds is out of range.
    """
    overruling = as_mpp(roi.mpp if given is None else given)
    return _holding(roi.file_name, overruling, image, "the split")


def mpp_in(text: str) -> Mpp:
    """The mpp that a user writes, in an option or a table: 0.25, or 0.25/0.26 along x/y.

    Raises:
        DataError: where it is none, or not plausible.
    """
    sides = [number_in(side.strip()) for side in text.split("/")]
    if len(sides) > 2 or any(side is None for side in sides):
        raise DataError(f"mpp is {text!r}", _FORM)
    mpp = Mpp.of(*(side for side in sides if side is not None))
    if not mpp.is_plausible:
        raise DataError(f"mpp {out_of_range(mpp)}", _FORM)
    return mpp


def mpp_of_image(image: SlideImage, given: MppLike | None = None) -> Mpp:
    """The mpp of an image that is no ROI of a data folder.

    Args:
        image: an open image.
        given: what the user gave, um/px; overrules what the file states.

    Raises:
        ImageError: where none is stated, or the one that holds is out of range.
    """
    where = given.where if isinstance(given, GivenMpp) else ""
    return _holding(str(image.path), as_mpp(given), image.stated_mpp, where=where)


def area_mm2(width: int | None, height: int | None, mpp: Mpp | None) -> float:
    """The area of an image of that many px, mm2; NaN where a side or its mpp is unknown."""
    if not width or not height or mpp is None:
        return math.nan
    if mpp.is_square:
        return width * height * (mpp.x / 1000) ** 2
    return width * height * (mpp.x / 1000) * (mpp.y / 1000)


def is_unusual(mpp: Mpp) -> bool:
    """Whether figures are hardly seen at that mpp, plausible as it is: under 0.1, or over 1."""
    return min(mpp) < _USUAL[0] or max(mpp) > _USUAL[1]


def resampling(name: str, size: tuple[int, int], mpp: Mpp, model_mpp: float) -> Scale:
    """Factors by which to resample an image for a model; enlarging more than 2 times and shrinking
    more than 2.5 times is warned of.

    Args:
        name: the image.
        size: its (width, height), px.
        mpp, model_mpp: um/px of the image and of the model.

    Raises:
        ImageError: where an image that is enlarged more than twice would have over 10^9 px.
    """
    scale = scale_for(mpp, model_mpp)
    larger, smaller = max(scale), 1 / min(scale)
    if larger <= _MARKED_ENLARGING * (1 + 1e-9) and smaller <= _MARKED_SHRINKING * (1 + 1e-9):
        return scale
    pixels = math.prod(size) * math.prod(scale)
    if larger > _MARKED_ENLARGING and pixels > _MOST_PX:
        raise ImageError(
            f"{name}: at {mpp} um per px it would be enlarged to {pixels:.2g} px for the model's"
            f" {model_mpp:g}; over {_MOST_PX:.0e} are refused",
            "give its true {mpp}, or a model of about its mpp",
            {"mpp": None},
        )
    warn_once_of(
        f"{mpp} {model_mpp}",
        "%s: at %s um per px it is %s %.3g-fold for the model's %g: is that its true mpp?",
        name,
        mpp,
        "enlarged" if larger >= smaller else "shrunk",
        max(larger, smaller),
        model_mpp,
    )
    return scale


def _holding(
    name: str, overruling: Mpp | None, image: StatedMpp, column_of: str = "", where: str = ""
) -> Mpp:
    """The mpp that holds for an image.

    overruling: of the user, the split or the annotation. column_of: the file in which a column
    `mpp` would help, "" for none. where: what states the overruling one; "": it is not told.
    """
    column = f", or a column `mpp` in {column_of}" if column_of else ""
    fix, settings = f"give {{mpp}} in um per px, for example 0.25{column}", {"mpp": None}
    if overruling is not None:
        if not overruling.is_plausible:
            raise ImageError(f"{name}: mpp {out_of_range(overruling)}", fix, settings)
        _warn_where_apart(name, overruling, image, where)
        return overruling
    if image.mpp is not None:
        return image.mpp
    if wrong := image.out_of_range:
        what = out_of_range(wrong.mpp, f"its {wrong.source}")
        raise ImageError(f"{name}: mpp {what}", fix, settings)
    reason = f" ({image.refused})" if image.refused else ""
    raise ImageError(f"{name}: its mpp (um per px) is unknown{reason}", fix, settings)


def _warn_where_apart(name: str, overruling: Mpp, image: StatedMpp, where: str) -> None:
    """Warn where a file states another mpp than the user, the split or the annotation."""
    if image.mpp is not None and not image.mpp.agrees_with(overruling):
        stated, source = image.mpp, image.source
    elif wrong := image.out_of_range:
        stated, source = wrong.mpp, wrong.source
    else:
        return
    warn_once_of(
        f"{overruling} {source} {stated}",
        "%s: %s um per px, as %s, though its %s states %s",
        name,
        overruling,
        f"{where} states" if where else "given by you, the split or the annotation",
        source,
        stated,
    )
