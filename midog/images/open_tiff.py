"""TIFFs, plain, OME or a slide's: which reader takes the file, and its levels by strip or tile."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import tifffile
from PIL import Image

from midog.errors import ImageError
from midog.images.open_slide import open_slide, vendor_of
from midog.images.opened_file import (
    Level,
    OpenedFile,
    decoded_whole,
    downsample_of,
    on_white,
    one_kind_of_error,
)
from midog.images.pixels import Pixels
from midog.images.stated_mpp import mpp_of_tiff
from midog.images.tiff_mapped import AnyPixels, crop_into, map_page
from midog.images.tiff_segments import Segments, has_segments

_LOSSLESS = (1, 5, 8, 32773, 32946)
"""None, LZW, deflate, PackBits: read as OpenSlide reads them, but sooner. Of JPEG only OpenSlide
reports damage."""


def open_tiff(path: Path) -> OpenedFile:
    """Open a TIFF: by OpenSlide where it is a scanner's file, else mapped, by segment or whole.

    Raises:
        ImageError: for a file that is cut short, or other than 8-bit grey, RGB or RGBA.
    """
    vendor = vendor_of(path)
    with tifffile.TiffFile(path) as tiff:
        _check_complete(path, tiff.pages)
        mpp = mpp_of_tiff(path, tiff)
        if vendor not in (None, "generic-tiff"):
            return open_slide(path, mpp)
        page, slide = tiff.series[0].keyframe, None
        _check_layout(path, page, tiff.series[0].axes)
        if vendor and page.samplesperpixel != 4:
            with contextlib.suppress(openslide.OpenSlideError):  # it knows no JPEG 2000, no WebP
                slide = open_slide(path, mpp)
        size = page.imagewidth, page.imagelength
        if slide and (slide.size != size or page.compression not in _LOSSLESS):
            return _with_levels(path, tiff, slide)
        ours = _open_series(path, tiff, slide.mpp if slide else mpp)
    if slide and ours:
        slide.close()
    return ours or slide or decoded_whole(size, mpp, lambda: _decode(path))


def _with_levels(path: Path, tiff: Any, slide: OpenedFile) -> OpenedFile:
    """The slide, with the levels that OpenSlide does not read: those of OME, in sub-IFDs."""
    page, count = tiff.series[0].keyframe, len(tiff.series[0].levels)
    if len(slide.levels) >= count or slide.size != (page.imagewidth, page.imagelength):
        return slide
    ours = _open_series(path, tiff, slide.mpp)
    if ours is None:
        return slide

    def close() -> None:
        slide.close()
        ours.close()

    return replace(slide, levels=slide.levels + ours.levels[len(slide.levels) :], close=close)


def _open_series(path: Path, tiff: Any, mpp: float | None) -> OpenedFile | None:
    """The first image of a TIFF and its levels; None where level 0 can only be decoded whole."""
    levels: list[Level] = []
    closers: list[Callable[[], None]] = []
    mapped: AnyPixels | None = None
    size = tiff.series[0].keyframe.imagewidth, tiff.series[0].keyframe.imagelength
    for number, series in enumerate(tiff.series[0].levels):
        page = series.keyframe
        if not _is_level(path, tiff, series):
            break
        level_size = page.imagewidth, page.imagelength
        downsample = downsample_of(level_size, size) if number else 1.0
        if (pixels := map_page(path, page)) is not None:
            levels.append(Level(level_size, downsample, functools.partial(crop_into, pixels)))
            mapped = mapped if number else pixels
        elif has_segments(page):
            to_rgb = functools.partial(_to_rgb, page.photometric, page.extrasamples)
            segments = Segments(path, page, to_rgb)
            closers.append(segments.close)
            read_into = functools.partial(_read_into, path, segments)
            levels.append(Level(level_size, downsample, read_into))
        else:
            break

    def close() -> None:
        for close_segments in closers:
            close_segments()

    return OpenedFile(tuple(levels), mpp, close, mapped) if levels else None


def _is_level(path: Path, tiff: Any, series: Any) -> bool:
    """Whether a level is one page of this very file, whole, and in a layout that can be read.

    Raises:
        ImageError: where the file ends within it.
    """
    page = series.keyframe
    if len(series.pages) != 1 or series.pages[0] is not page or page.parent is not tiff:
        return False
    _check_complete(path, [page])
    with contextlib.suppress(ImageError):
        _check_layout(path, page, series.axes)
        return True
    return False


def _read_into(path: Path, segments: Segments, x: int, y: int, out: Pixels) -> None:
    with one_kind_of_error(path):
        segments.read_into(x, y, out)


def _decode(path: Path) -> Pixels:
    with one_kind_of_error(path), tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        page, pixels = series.keyframe, series.asarray()
        if series.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, 2)
        return _to_rgb(page.photometric, page.extrasamples, pixels.reshape(*pixels.shape[:2], -1))


def _to_rgb(photometric: int, extrasamples: tuple[int, ...], pixels: Pixels) -> Pixels:
    """(height, width, samples) of a TIFF as (height, width, 3) RGB, transparent over white."""
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = 255 - pixels
    if extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,):
        return on_white(Image.fromarray(pixels))
    if extrasamples == (tifffile.EXTRASAMPLE.ASSOCALPHA,):  # colours multiplied by alpha already
        white = 255 - pixels[..., 3:].astype(np.uint16)
        return np.asarray(np.minimum(pixels[..., :3] + white, 255), np.uint8)
    if pixels.shape[2] == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return pixels[..., :3]


def _check_complete(path: Path, pages: Any) -> None:
    """Raise ImageError where pages lie beyond the file's end.

    Decoders fill in what a file cut short lacks, so that half a slide would pass as grey or black.
    """
    size = path.stat().st_size
    for page in pages:
        starts, counts = page.dataoffsets, page.databytecounts
        end = max((start + count for start, count in zip(starts, counts, strict=False)), default=0)
        if end > size or len(starts) != len(counts):
            raise ImageError(f"{path} is cut short at {size} bytes", "copy or download it again")


def _check_layout(path: Path, page: Any, axes: str) -> None:
    """Raise ImageError for a page that is not 8-bit grey, RGB or RGBA."""
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    channels = {"MINISBLACK": (1,), "MINISWHITE": (1,), "RGB": (3, 4), "YCBCR": (3,)}
    jpeg = page.compression in (tifffile.COMPRESSION.OJPEG, tifffile.COMPRESSION.JPEG)
    if axes not in ("YX", "YXS", "SYX"):
        fault = f"holds several planes (axes {axes})"
    elif page.bitspersample != 8 or page.dtype != np.uint8:
        fault = f"has {page.bitspersample}-bit pixels ({page.dtype})"
    elif page.samplesperpixel not in channels.get(kind, ()) or (kind == "YCBCR" and not jpeg):
        fault = f"has {page.samplesperpixel} channels of kind {kind}"
    else:
        return
    raise ImageError(f"{path} {fault}", "convert it to 8-bit RGB")
