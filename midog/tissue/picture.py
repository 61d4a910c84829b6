"""The picture of a tissue mask: all but tissue is tinted by what it is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from midog.errors import DetectionsError, ImageError
from midog.files import replace_bytes
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.tissue.kinds import GLASS, KINDS, TISSUE
from midog.tissue.left_out import Kinds
from midog.tissue.mask import TissueMask

ENDING = ".tissue.png"
"""Of the file beside an image's result."""

_SIDE_PX = 1600  # of the longer side, unless the image is smaller
_TINT = 0.55


def draw_tissue(mask: TissueMask, image: SlideImage) -> Pixels:
    """Draw a mask over its image.

    Args:
        mask: The mask.
        image: Its image, open.

    Returns:
        (h, w, 3) uint8 RGB, at most 1600 px a side, and no more than the image: px that are no
        tissue in their kind's colour half over the image (`midog.tissue.kinds.KINDS`), and tissue
        as it is with a green outline.

    Raises:
        ImageError: Where the image's pixels cannot be decoded.
    """
    scale = min(1.0, _SIDE_PX / max(mask.size))
    read = mask.overview
    if read is None or mask.scale[0] < scale:
        read = image.overview(min(scale, 1.0))
    height, width = read.shape[:2]
    shrunk = min(1.0, _SIDE_PX / max(height, width))
    size = max(1, round(width * shrunk)), max(1, round(height * shrunk))
    picture = np.asarray(Image.fromarray(read).resize(size, Image.Resampling.BOX), np.float32)
    kinds = _enlarged(mask, size)
    colours = np.array([KINDS[kind].colour for kind in sorted(KINDS)], np.float32)
    tinted = picture * (1 - _TINT) + colours[kinds] * _TINT
    picture = np.where((kinds == TISSUE)[..., None], picture, tinted)
    tissue = kinds == TISSUE
    picture[tissue & ~ndimage.binary_erosion(tissue, iterations=2, border_value=1)] = KINDS[
        TISSUE
    ].colour
    return picture.round().astype(np.uint8)


def write_tissue(path: Path, mask: TissueMask, image: SlideImage) -> None:
    """Write the picture of a mask as PNG; see `draw_tissue`.

    Raises:
        DetectionsError: If the file cannot be written.
        ImageError: Where the image's pixels cannot be decoded.
    """
    buffer = io.BytesIO()
    Image.fromarray(draw_tissue(mask, image)).save(buffer, "PNG")
    replace_bytes(path, buffer.getvalue(), DetectionsError, parents=True)


def no_tissue(name: str, mask: TissueMask, picture: Path) -> ImageError:
    """Describe an image in which nothing is looked at.

    Args:
        name: Of the image.
        mask: Its mask.
        picture: Where the picture of the mask is.
    """
    return ImageError(
        f"{name}: no tissue: {mask.line()}; its mask is {picture}",
        "look at the mask; {tissue} looks everywhere",
        {"tissue": "all"},
    )


def _enlarged(mask: TissueMask, size: tuple[int, int]) -> Kinds:
    """The kinds in px of a picture of that (width, height): of the px of the mask at its middle."""
    height, width = mask.kinds.shape
    extent = np.array(mask.size) * mask.scale  # the last px of a mask may reach over the image
    column, row = (
        np.minimum(((np.arange(side) + 0.5) / side * end).astype(np.int64), most - 1)
        for side, end, most in zip(size, extent, (width, height), strict=True)
    )
    kinds = np.asarray(mask.kinds[row[:, None], column])
    assert kinds.min(initial=GLASS) >= GLASS
    return kinds
