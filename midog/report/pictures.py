"""Pictures inside a page: square crops of an image around a location, ringed, as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin

from midog.boxes import MITOTIC_FIGURE, Boxes
from midog.formats.overlay import COLOURS
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.mpp import MppLike, as_mpp

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
    image: SlideImage,
    x_px: float,
    y_px: float,
    *,
    mpp: MppLike,
    ring: Ring | None = None,
    boxes: Boxes | None = None,
) -> Pixels:
    """Cut CROP_UM around a location; white beyond the edges of the image.

    Args:
        image: The image.
        x_px: Level-0 px; the location lies in the middle, to a pixel.
        y_px: Likewise.
        mpp: um/px at level 0, or those along x and y.
        ring: Drawn around the location; None: nothing is.
        boxes: Annotated ones of the image, drawn where they reach into the crop: figures green,
            imposters blue.

    Returns:
        (CROP_PX, CROP_PX, 3) uint8 RGB.

    Raises:
        ImageError: If the pixels cannot be read.
    """
    sides = as_mpp(mpp)
    assert sides is not None
    width, height = (max(1, round(CROP_UM / own)) for own in sides)
    left, top = round(x_px - width / 2), round(y_px - height / 2)
    pixels = Image.fromarray(image.read(left, top, width, height))
    resampled = pixels.resize((CROP_PX, CROP_PX), Image.Resampling.LANCZOS)
    scale = np.array([CROP_PX / width, CROP_PX / height])
    if boxes is not None:
        _frame(resampled, boxes, np.array([left, top]), scale)
    if ring is None:
        return np.asarray(resampled)
    x, y = ((x_px, y_px) - np.array([left, top])) * scale
    return _ringed(resampled, float(x), float(y), ring)


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


def png_of(picture: Image.Image, mark: str) -> bytes:
    """Return a picture as PNG; `mark` is written in it, by which what wrote it is told."""
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", mark)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=told, compress_level=6)
    return file.getvalue()


def _frame(
    picture: Image.Image, boxes: Boxes, corner: NDArray[np.int64], scale: NDArray[np.float64]
) -> None:
    """Draw the boxes that reach into a crop; `corner` is its own in level-0 px, `scale` px of the
    crop for one of these, both along x and y."""
    draw = ImageDraw.Draw(picture)
    corners = (boxes.xyxy.reshape(-1, 2, 2).astype(np.float64) - corner) * scale
    low, high = corners[:, 0], corners[:, 1]
    inside = ((high > 0) & (low < CROP_PX)).all(axis=1)
    for number in np.flatnonzero(inside):
        is_figure = boxes.labels[number] == MITOTIC_FIGURE
        colour = COLOURS["found"] if is_figure else COLOURS["imposter"]
        draw.rectangle([*low[number], *np.maximum(high[number] - 1, low[number])], None, colour, 2)


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
