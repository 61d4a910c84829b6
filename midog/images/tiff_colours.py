"""The colours of a TIFF's pages: what can be read as 8-bit RGB, and how; the rest is named."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from midog.errors import ImageError
from midog.images.opened_file import on_white
from midog.images.pixels import Pixels

_SAMPLES = {
    "MINISBLACK": (1, 2),
    "MINISWHITE": (1,),
    "PALETTE": (1,),
    "RGB": (3, 4),
    "YCBCR": (3,),
}
"""How many samples a px may have, by the photometric interpretation."""

_ALPHA = (tifffile.EXTRASAMPLE.UNASSALPHA, tifffile.EXTRASAMPLE.ASSOCALPHA)
_BLACK_WHITE, _SUBSAMPLING, _COEFFICIENTS = 532, 530, 529
"""Tags of YCbCr: ReferenceBlackWhite, YCbCrSubSampling (2 x 2 where it is missing), its weights."""
_FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
_JPEG_WEIGHTS = (0.299, 0.587, 0.114)


def check_readable(path: Path, page: Any, axes: str) -> None:
    """Raise ImageError for a page that is not 8-bit grey, palette, RGB, RGBA or YCbCr.

    Args:
        path: the file, for the error.
        page: a page as tifffile gives it.
        axes: the picture's, in tifffile's letters; CYX only for planes of colour.
    """
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    if axes not in ("YX", "YXS", "SYX", "CYX"):
        fault = f"holds several planes (axes {axes})"
    elif page.bitspersample != 8 or page.dtype != np.uint8:
        fault = f"has {page.bitspersample}-bit pixels ({page.dtype})"
    elif page.samplesperpixel not in _SAMPLES.get(kind, ()) or (
        page.samplesperpixel == 2 and page.extrasamples[:1] not in {(alpha,) for alpha in _ALPHA}
    ):
        fault = f"has {page.samplesperpixel} channels of kind {kind}"
    elif kind == "YCBCR" and (fault_of_ycbcr := _fault_of_ycbcr(page)):
        fault = fault_of_ycbcr
    else:
        return
    raise ImageError(f"{path} {fault}", "convert it to 8-bit RGB")


def to_rgb(page: Any) -> Callable[[Pixels], Pixels]:
    """A function that makes (height, width, 3) RGB of (height, width, samples) of that page.

    What is transparent is shown over white. The function needs no open file.

    Args:
        page: a readable page as tifffile gives it.
    """
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return functools.partial(_from_palette, _palette(page))
    raw = page.photometric == tifffile.PHOTOMETRIC.YCBCR and not _is_jpeg(page)
    return functools.partial(_from_samples, page.photometric, page.extrasamples, raw)


def _from_samples(
    photometric: int, extrasamples: tuple[int, ...], ycbcr: bool, pixels: Pixels
) -> Pixels:
    if ycbcr:
        size = pixels.shape[1], pixels.shape[0]
        return np.asarray(Image.frombytes("YCbCr", size, pixels.tobytes()).convert("RGB"))
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = 255 - pixels
    if extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,):
        return on_white(Image.fromarray(pixels))
    if extrasamples == (tifffile.EXTRASAMPLE.ASSOCALPHA,):  # colours multiplied by alpha already
        white = 255 - pixels[..., -1:].astype(np.uint16)
        pixels = np.asarray(np.minimum(pixels[..., :-1] + white, 255), np.uint8)
    if pixels.shape[2] == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return pixels[..., :3]


def _from_palette(palette: Pixels, pixels: Pixels) -> Pixels:
    return palette[pixels[..., 0]]


def _palette(page: Any) -> Pixels:
    """(256, 3) uint8. The map has 16 bits; of some writers 8, as libtiff tells by its values."""
    colours: NDArray[np.uint16] = np.asarray(page.colormap, np.uint16).reshape(3, 256).T
    return np.asarray(colours >> 8 if colours.max() > 255 else colours, np.uint8)


def _fault_of_ycbcr(page: Any) -> str | None:
    """Why luma and chroma that are no JPEG's cannot be read."""
    if _is_jpeg(page):
        return None
    if page.subsampling not in (None, (1, 1)) or _SUBSAMPLING not in page.tags:
        return "has YCBCR pixels with fewer of chroma than of luma"
    if page.planarconfig != tifffile.PLANARCONFIG.CONTIG:
        return "has YCBCR pixels in planes"
    stated = [
        (page.tags.valueof(_BLACK_WHITE), _FULL_RANGE),
        (page.tags.valueof(_COEFFICIENTS), _JPEG_WEIGHTS),
    ]
    for values, expected in stated:
        if values is not None and not np.allclose(_fractions(values), expected, atol=2e-3):
            return "has YCBCR pixels of another range or weights than a JPEG's"
    return None


def _fractions(values: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers of a tag that holds numerators and denominators in turn."""
    pairs = np.asarray(values, np.float64).reshape(-1, 2)
    return np.asarray(pairs[:, 0] / np.maximum(pairs[:, 1], 1))


def _is_jpeg(page: Any) -> bool:
    return page.compression in (tifffile.COMPRESSION.OJPEG, tifffile.COMPRESSION.JPEG)
