"""Pictures of heat maps: over the slide, and beside the truth."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from midog.errors import DetectionsError
from midog.files import replace_bytes
from midog.heatmap.heat_map import HeatMap
from midog.images.image import SlideImage
from midog.images.pixels import Pixels

_SIDE_PX = 1600  # of the longer side of a picture, unless the slide is smaller
_LEAST_PX = 480  # of a picture's width, so that the words below fit
_OUTLINE = (0, 0, 0)
_MOST_OPAQUE = 0.7

RATE_COLOURS = {
    "TP": (46, 160, 67),
    "FP": (220, 50, 47),
    "FN": (255, 176, 0),
    "TN": (214, 220, 228),
}
"""Of px of the map that are rightly or wrongly taken for the class or not, RGB."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture and the words above it."""

    title: str
    pixels: Pixels


def write_overlay_of_map(path: Path, heat_map: HeatMap, image: SlideImage) -> None:
    """Write the slide in grey with the map over it in colours, as PNG.

    The higher a value, the less transparent it is; a black line goes around what is at least the
    threshold, and what was not looked at is left as it is. The scale of colours is below.

    Args:
        path: The file to replace; missing folders on the way are made.
        heat_map: Of the image.
        image: Open.

    Raises:
        DetectionsError: It cannot be written.
        ImageError: Pixels cannot be read.
    """
    ground = slide_picture(image, _SIDE_PX)
    picture = Image.fromarray(coloured(ground, heat_map))
    whole = Image.new("RGB", (max(picture.width, _LEAST_PX), picture.height + 64), "white")
    whole.paste(picture, (0, 0))
    _draw_scale(whole, heat_map, picture.height)
    _write_png(path, whole)


def write_panels(path: Path, panels: Sequence[Panel], words: Sequence[str]) -> None:
    """Write pictures of one size beside each other, with lines of words below, as PNG.

    Raises:
        DetectionsError: It cannot be written.
    """
    font, gap, line = ImageFont.load_default(16), 12, 24
    height, width = panels[0].pixels.shape[:2]
    column = max(width, 260)
    longest = max((font.getlength(text) for text in words), default=0)
    full = max(len(panels) * (column + gap) + gap, int(longest) + 2 * gap)
    top = line + gap
    whole = Image.new("RGB", (full, top + height + gap + line * len(words) + gap), "white")
    draw = ImageDraw.Draw(whole)
    for number, panel in enumerate(panels):
        left = gap + number * (column + gap)
        draw.text((left, gap // 2), panel.title, "black", font)
        whole.paste(Image.fromarray(panel.pixels), (left, top))
    for number, text in enumerate(words):
        draw.text((gap, top + height + gap + number * line), text, "black", font)
    _write_png(path, whole)


def slide_picture(image: SlideImage, side: int) -> Pixels:
    """Return the whole slide, at most `side` px wide and high and no larger than it is."""
    scale = min(1.0, side / max(image.width, image.height))
    return image.overview(scale)


def coloured(ground: Pixels, heat_map: HeatMap) -> Pixels:
    """Return a picture of the slide in grey with the map over it; see `write_overlay_of_map`.

    Args:
        ground: (h, w, 3) uint8 RGB, the whole slide.
        heat_map: Of the slide.
    """
    from matplotlib import colormaps

    grey = np.repeat(ground.mean(axis=2, keepdims=True), 3, axis=2)
    values = on_picture(heat_map.values, heat_map, ground.shape[:2])
    looked_at = ~np.isnan(values)
    share = np.where(looked_at, values, 0)[..., None]
    colours = colormaps["turbo"](share[..., 0])[..., :3] * 255
    opaque = np.where(looked_at[..., None], 0.15 + (_MOST_OPAQUE - 0.15) * share, 0)
    mixed = grey * (1 - opaque) + colours * opaque
    mixed[outline(looked_at & (values >= np.float32(heat_map.threshold)))] = _OUTLINE
    return np.asarray(mixed.round(), np.uint8)


def on_picture(
    values: NDArray[np.generic], heat_map: HeatMap, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Enlarge or shrink px of a map to those of a picture of the whole slide, nearest.

    Args:
        values: (h, w) of the map's shape.
        heat_map: It.
        shape: (height, width) of the picture, px.
    """
    places = []
    for axis, side in ((1, shape[0]), (0, shape[1])):
        middles = (np.arange(side) + 0.5) / side * heat_map.size[axis]
        most = values.shape[1 - axis] - 1
        places.append(np.minimum((middles * heat_map.scale[axis]).astype(np.int64), most))
    return np.asarray(values[places[0][:, None], places[1]])


def outline(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(h, w) bool, the inner edge of what is chosen, a px wide."""
    from scipy import ndimage

    return np.asarray(chosen & ~ndimage.binary_erosion(chosen, border_value=1))


def _draw_scale(whole: Image.Image, heat_map: HeatMap, top: int) -> None:
    from matplotlib import colormaps

    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(15)
    for step in range(160):
        colour = tuple(round(255 * part) for part in colormaps["turbo"](step / 159)[:3])
        draw.line([(8 + step, top + 10), (8 + step, top + 26)], colour)
    draw.text((176, top + 8), f"0 to 1, probability of {heat_map.name[:40]}", "black", font)
    draw.rectangle((8, top + 38, 24, top + 52), outline=_OUTLINE, width=2)
    score = heat_map.slide_score
    words = f"{heat_map.threshold:.3f} or more; highest " + (
        "-" if math.isnan(score) else f"{score:.3f}"
    )
    draw.text((32, top + 36), words, "black", font)


def _write_png(path: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    replace_bytes(path, buffer.getvalue(), DetectionsError, parents=True)
