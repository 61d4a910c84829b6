"""A picture of an image with figures per mm2 in colours, and the hotspot drawn."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from midog.errors import DetectionsError
from midog.files import replace_bytes
from midog.formats.hotspot_files import hotspot_of
from midog.formats.registry import DetectedImage
from midog.metrics.hotspot import Hotspot
from midog.mpp import Mpp, as_mpp

_SIDE_PX = 1600  # of the longer side, unless the image is smaller
_ROOM_PX = 64  # below, for the words and the scale of colours
_OUTLINE = (0, 230, 255)
_MOST_OPAQUE = 0.75


def write_density(path: Path, image: DetectedImage) -> None:
    """Write the picture as PNG.

    The density is of the figures at or over the threshold, smoothed by a Gaussian of a quarter of
    the window's width; what lies beyond the image's edge is not mirrored into it. The outline is
    the hotspot, counted exactly, whatever the colours.

    Args:
        path: The file to replace; missing folders on the way are made.
        image: The image with its detections.

    Raises:
        DetectionsError: If the file cannot be written; as of `hotspot_of`.
    """
    mpp = as_mpp(image.mpp)
    assert mpp is not None
    densest, figures = hotspot_of(image)
    scale = min(1.0, _SIDE_PX / max(image.width, image.height))
    ground = _overview(image, scale)
    density = figure_density(image, mpp, scale, densest.window.width_mm / 4, ground.shape[:2])
    picture = Image.fromarray(_coloured(ground, density))
    whole = Image.new("RGB", (max(picture.width, 420), picture.height + _ROOM_PX), (255, 255, 255))
    whole.paste(picture, (0, 0))
    _draw_hotspot(whole, densest, (scale * 1000 / mpp.x, scale * 1000 / mpp.y), picture.size)
    _draw_words(whole, densest, figures, float(density.max(initial=0)), picture.height)
    buffer = io.BytesIO()
    whole.save(buffer, "PNG")
    replace_bytes(path, buffer.getvalue(), DetectionsError, parents=True)


def figure_density(
    image: DetectedImage, mpp: Mpp, scale: float, sigma_mm: float, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return figures per mm2 at each px of a picture.

    Args:
        image: The image with its detections.
        mpp: um/px of level 0.
        scale: Px of the picture for a px of level 0.
        sigma_mm: Standard deviation of the Gaussian.
        shape: (height, width) of the picture, px.

    Returns:
        `shape` float64; its sum times the area of a px is the number of figures, less what is
        smoothed over the image's edge.
    """
    centres = image.detections.figures().at_least(image.threshold).centers * scale
    column, row = np.minimum(centres.astype(np.int64), np.array(shape[::-1]) - 1).clip(0).T
    counts = np.zeros(shape)
    np.add.at(counts, (row, column), 1)
    sigmas = [sigma_mm * 1000 * scale / side for side in (mpp.y, mpp.x)]
    px_mm2 = (mpp.x / scale / 1000) * (mpp.y / scale / 1000)
    smooth = ndimage.gaussian_filter(counts, sigmas, mode="constant", truncate=3)
    return np.asarray(smooth / px_mm2, np.float64)


def _overview(image: DetectedImage, scale: float) -> NDArray[np.uint8]:
    bands = [band for _, band in image.rows(scale)]
    return np.concatenate(bands)


def _coloured(ground: NDArray[np.uint8], density: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The image in grey, and colours over it that are the less opaque the lower the density."""
    from matplotlib import colormaps

    grey = np.repeat(ground.mean(axis=2, keepdims=True), 3, axis=2)
    most = float(density.max(initial=0))
    share = (density / most if most else density)[..., None]
    colours = colormaps["inferno"](share[..., 0])[..., :3] * 255
    opaque = _MOST_OPAQUE * np.sqrt(share)
    return np.asarray((grey * (1 - opaque) + colours * opaque).round(), np.uint8)


def _draw_hotspot(
    whole: Image.Image, densest: Hotspot, px_per_mm: tuple[float, float], size: tuple[int, int]
) -> None:
    """The outline, over the image alone."""
    if not densest.count:
        return
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    box = [place * px_per_mm[axis % 2] for axis, place in enumerate(densest.box_mm)]
    if densest.window.is_circle:
        draw.ellipse(box, outline=(*_OUTLINE, 255), width=4)
    else:
        # a window as large as the image keeps its outline in sight
        low, high = (
            (max(edge, 1) for edge in box[:2]),
            map(min, box[2:], (size[0] - 2, size[1] - 2)),
        )
        draw.rectangle([*low, *high], outline=(*_OUTLINE, 255), width=4)
    whole.paste(layer, (0, 0), layer)


def _draw_words(whole: Image.Image, densest: Hotspot, figures: int, most: float, top: int) -> None:
    """Below the image: the count, and what the colours mean."""
    from matplotlib import colormaps

    draw = ImageDraw.Draw(whole)
    font = ImageFont.load_default(15)
    window = densest.window
    per_mm2 = "" if math.isnan(densest.per_mm2) else f", {densest.per_mm2:.1f} per mm2"
    words = (
        f"hotspot ({densest.inside_mm2:.3g} mm2, {window.shape}): {densest.count} of {figures}"
        f" figures{per_mm2}"
    )
    draw.rectangle((8, top + 10, 24, top + 24), outline=_OUTLINE, width=4)
    draw.text((32, top + 8), words, (0, 0, 0), font)
    for step in range(160):
        colour = tuple(round(255 * part) for part in colormaps["inferno"](step / 159)[:3])
        draw.line([(8 + step, top + 36), (8 + step, top + 52)], colour)
    draw.text((176, top + 34), f"0 to {most:.3g} figures per mm2, smoothed", (0, 0, 0), font)
