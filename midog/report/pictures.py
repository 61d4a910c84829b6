"""Pictures inside a page: square crops of an image around a location, ringed, as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from midog.formats.overlay import COLOURS
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.mpp import MppLike, both_axes

CROP_UM = 64.0
"""Side of a crop: a figure with enough tissue around it to recognise it."""
CROP_PX = 256
"""Side to which a crop is resampled: one to one at 0.25 um/px, and sharp when shown at half of
that."""

RING_UM = 12.0
"""Radius of a ring: outside of a figure, and of the 7.5 um within which points are matched."""

_FINER = 4  # a ring is drawn that much larger and scaled down, so that its edge is smooth


@dataclass(frozen=True)
class Ring:
    """A ring around a location; as in the overlay pictures, rings differ by more than colour.

    Attributes:
        colour: RGB, 0 to 255.
        kind: A single, a double or a broken ring.
    """

    colour: tuple[int, int, int]
    kind: Literal["single", "double", "broken"] = "single"


FALSE_ALARM = Ring(COLOURS["false alarm"], "double")
MISSED = Ring(COLOURS["missed"], "broken")


def crop_around(
    image: SlideImage, x_px: float, y_px: float, *, mpp: MppLike, ring: Ring | None = None
) -> Pixels:
    """Cut CROP_UM around a location; white beyond the edges of the image.

    Args:
        image: The image.
        x_px: Level-0 px; the location lies in the middle, to a pixel.
        y_px: Likewise.
        mpp: um/px at level 0, or those along x and y.
        ring: Drawn around the location; None: nothing is.

    Returns:
        (CROP_PX, CROP_PX, 3) uint8 RGB.

    Raises:
        ImageError: If the pixels cannot be read.
    """
    width, height = (max(1, round(CROP_UM / own)) for own in both_axes(mpp))
    left, top = round(x_px - width / 2), round(y_px - height / 2)
    pixels = Image.fromarray(image.read(left, top, width, height))
    resampled = pixels.resize((CROP_PX, CROP_PX), Image.Resampling.LANCZOS)
    if ring is None:
        return np.asarray(resampled)
    x, y = (x_px - left) * (CROP_PX / width), (y_px - top) * (CROP_PX / height)
    return _ringed(resampled, x, y, ring)


def data_uri(pixels: Pixels, kind: Literal["jpeg", "png"] = "jpeg") -> str:
    """Return pixels (H, W, 3) uint8 RGB as the `src` of an <img>; equal pixels give equal text."""
    assert pixels.dtype == np.uint8, pixels.dtype
    data = io.BytesIO()
    if kind == "jpeg":
        # whole colour: thin rings stay crisp
        Image.fromarray(pixels).save(data, "JPEG", quality=88, subsampling=0)
    else:
        Image.fromarray(pixels).save(data, "PNG", optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _ringed(picture: Image.Image, x: float, y: float, ring: Ring) -> Pixels:
    """A ring around (x, y) px, with a shadow so that it shows on any stain."""
    size = (picture.width * _FINER, picture.height * _FINER)
    line, shadow = Image.new("L", size), Image.new("L", size)
    radius, width = RING_UM * CROP_PX / CROP_UM, 4 if ring.kind == "broken" else 3
    for circle in (radius, radius + 7) if ring.kind == "double" else (radius,):
        _circle(shadow, x, y, circle, width + 2, 110, ring.kind)
        _circle(line, x, y, circle, width, 255, ring.kind)
    for layer, colour in ((shadow, (0, 0, 0)), (line, ring.colour)):
        smooth = layer.resize(picture.size, Image.Resampling.BOX)
        picture = Image.composite(Image.new("RGB", picture.size, colour), picture, smooth)
    return np.asarray(picture)


def _circle(
    layer: Image.Image, x: float, y: float, radius: float, width: int, fill: int, kind: str
) -> None:
    """Draw on a layer of _FINER times the size; `radius` and `width` in px of the picture, the line
    centred on it."""
    draw = ImageDraw.Draw(layer)
    outer = radius + width / 2
    box = [(at + sign * outer) * _FINER for sign in (-1, 1) for at in (x, y)]
    spans = [(start, start + 28) for start in range(0, 360, 45)] if kind == "broken" else [(0, 360)]
    for start, end in spans:
        draw.arc(box, start, end, fill=fill, width=width * _FINER)
