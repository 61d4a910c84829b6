"""tissue_mask: tissue told from glass, pen and debris at low power."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from scipy import ndimage

from midog.data.mpp import mpp_of_image
from midog.images.image import SlideImage, as_image, open_image
from midog.images.pixels import Pixels
from midog.mpp import Mpp, MppLike, Scale
from midog.tissue.kinds import BLACK, GLASS, GREY, PEN, TISSUE
from midog.tissue.left_out import Kinds, colours_left_out, shapes_left_out, whole_strokes
from midog.tissue.mask import TissueMask
from midog.tissue.rules import Floats, require_rule

LOW_POWER_UM = 8.0
"""Um per px at which tissue is looked for, about 1.25x; the bounds of `left_out` are for this."""

MOST_PX = 1 << 22
"""Most px of a mask, so that memory does not grow with the slide: over 268 mm2 they are coarser."""

_BAND = 256  # rows whose colours are computed at a time


def tissue_mask(
    image: SlideImage | Path | str | Pixels, *, mpp: MppLike | None = None, rule: str = "otsu"
) -> TissueMask:
    """Find the tissue of an H&E image.

    It looks at 8 um per px, read from the coarsest level that is fine enough. Pen marks, black
    debris, grey edges of a coverslip, thin straight lines and specks are left out, whatever the
    rule; small holes are filled.

    Args:
        image: An open image (left open), a file, or pixels (H, W, 3) uint8 RGB.
        mpp: um/px of level 0, or those along x and y; overrules what the file states.
        rule: Name in `midog.tissue.rules.RULES`: otsu, saturation or grey.

    Returns:
        Its mask; there may be no tissue in it.

    Raises:
        ImageError: Where the image cannot be read, its mpp or the rule is unknown.
    """
    if isinstance(image, SlideImage):
        return _find(image, mpp_of_image(image, mpp), rule)
    opened = as_image(image, None) if isinstance(image, np.ndarray) else open_image(image)
    with opened:
        return _find(opened, mpp_of_image(opened, mpp), rule)


def scale_of_mask(size: tuple[int, int], mpp: Mpp, um: float) -> Scale:
    """Px of a mask for a px of level 0, along x and y; the mask's last px end with the image.

    Args:
        size: (width, height) of the image, level-0 px.
        mpp: um/px of level 0.
        um: wanted um per px of the mask; more where it would have over MOST_PX.
    """
    area_um2 = math.prod(size) * mpp.x * mpp.y
    side = max(um, math.sqrt(area_um2 / MOST_PX))
    across, down = (
        math.ceil(length * um_px / side - 1e-9) / length
        for length, um_px in zip(size, mpp, strict=True)
    )
    return across, down


def _find(image: SlideImage, mpp: Mpp, rule: str) -> TissueMask:
    tells = require_rule(rule)
    scale = scale_of_mask((image.width, image.height), mpp, LOW_POWER_UM)
    overview = image.overview(scale)
    saturation, grey, kinds = _colours(overview)
    px_mm = mpp.x / scale[0] / 1000, mpp.y / scale[1] / 1000
    kinds = whole_strokes(kinds, px_mm[0] * px_mm[1])
    tissue, threshold = tells.tissue(saturation, grey, kinds == GLASS)
    shaped = shapes_left_out(tissue & (kinds == GLASS), px_mm)
    # a hole that is pen stays one
    dark = np.isin(kinds, (PEN, BLACK, GREY))
    kinds = np.where(dark & ((shaped != TISSUE) | (kinds == PEN)), kinds, shaped)
    return TissueMask(
        kinds,
        scale,
        (image.width, image.height),
        mpp,
        f"rule {rule}, threshold {threshold:.3g}",
        overview,
    )


def _colours(overview: Pixels) -> tuple[Floats, Floats, Kinds]:
    """Saturation and mean of red, green and blue, in [0, 1], and what is left out for its colour;
    of px smoothed over 3 x 3."""
    height, width = overview.shape[:2]
    saturation, grey = np.empty((2, height, width), np.float32)
    kinds = np.empty((height, width), np.uint8)
    for top in range(0, height, _BAND):
        first, end = max(top - 1, 0), min(top + _BAND, height)
        band = overview[first : end + 1].astype(np.float32) / 255
        smooth = ndimage.uniform_filter(band, (3, 3, 1), mode="nearest")
        rgb = np.asarray(smooth[top - first :][: end - top], np.float32)
        brightest = rgb.max(axis=2)
        chroma = brightest - rgb.min(axis=2)
        saturation[top:end] = chroma / np.maximum(brightest, np.float32(1 / 255))
        grey[top:end] = rgb.mean(axis=2)
        kinds[top:end] = colours_left_out(rgb)
    return saturation, grey, kinds
