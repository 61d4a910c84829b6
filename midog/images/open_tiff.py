"""TIFFs, plain, OME or a slide's: which reader takes the file, and its levels by strip or tile."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import tifffile

from midog.errors import ImageError
from midog.images.jpeg_tiles import JpegTiles, is_checked, tile_of
from midog.images.open_slide import GENERIC, open_slide, vendor_of
from midog.images.opened_file import (
    Level,
    OpenedFile,
    decoded_whole,
    downsample_of,
    one_kind_of_error,
)
from midog.images.orientation import turned
from midog.images.pixels import Pixels
from midog.images.stated_mpp import mpp_of_tiff
from midog.images.tiff_colours import check_readable, to_rgb
from midog.images.tiff_mapped import AnyPixels, crop_into, map_page
from midog.images.tiff_pictures import TiffPicture, colour_planes, largest_picture
from midog.images.tiff_segments import Segments, has_segments
from midog.mpp import StatedMpp, settle

_LOSSLESS = (1, 5, 8, 32773, 32946)
"""None, LZW, deflate, PackBits: read as OpenSlide reads them, but sooner."""

_ORIENTATION = 274
_APERIO = "aperio"  # OpenSlide's name for it
_SAMPLES = 3

_Reader = tuple[Callable[[int, int, Pixels], None], Callable[[], None], AnyPixels | None]
"""read_into, close and mapped pixels of one page."""


def open_tiff(path: Path) -> OpenedFile:
    """Open a TIFF: by OpenSlide where it is a scanner's file, else mapped, by segment or whole.

    Of several pictures the largest is read. It is turned as its orientation tag says; a scanner's
    file with such a tag is refused, as viewers of slides do not agree on it.

    Raises:
        ImageError: for a file that is cut short, or other than 8-bit grey, palette, RGB or RGBA.
    """
    vendor = vendor_of(path)
    with tifffile.TiffFile(path) as tiff:
        check_complete(path, tiff.pages)
        if vendor not in (None, GENERIC):
            first = tiff.pages.first
            _check_not_turned(path, first)
            slide = _watched(path, open_slide(path, mpp_of_tiff(tiff, first)), first)
            # tiles of other scanners may overlap, or lie elsewhere than in a grid
            return _by_tile(path, slide, tiff.pages) if vendor == _APERIO else slide
        picture = largest_picture(path, tiff)
        axes = picture.axes
        if axes == "CYX" and not colour_planes(path, tiff, picture):
            axes = f"{axes} of {len(picture.levels[0])}"
        check_readable(path, picture.page, axes)
        return turned(
            path,
            _open_picture(path, tiff, picture, vendor is not None),
            picture.page.tags.valueof(_ORIENTATION),
        )


def _open_picture(path: Path, tiff: Any, picture: TiffPicture, slide_too: bool) -> OpenedFile:
    """A picture, by OpenSlide where it reads that one and we would miss damage, else by us."""
    slide, page = None, picture.page
    in_tags = mpp_of_tiff(tiff, page)
    left_out = not all(page.dataoffsets)  # OpenSlide asks for counts of zero
    if slide_too and page.samplesperpixel != 4 and len(picture.levels[0]) == 1 and not left_out:
        with contextlib.suppress(openslide.OpenSlideError):  # it knows no JPEG 2000, no WebP
            slide = open_slide(path, in_tags)
    if slide and slide.size != picture.size:  # it takes the first page, or one marked as reduced
        slide.close()
        slide = None
    if slide and page.compression not in _LOSSLESS:
        pages = [level[0] for level in picture.levels]
        slide = _by_tile(path, _watched(path, slide, page), pages)
        return _with_levels(path, tiff, picture, slide)
    mpp = slide.mpp if slide else settle(str(path), in_tags)
    ours = _open_levels(path, tiff, picture, mpp)
    if slide and ours:
        slide.close()
    return ours or slide or decoded_whole(picture.size, mpp, lambda: _decode(path))


def _watched(path: Path, slide: OpenedFile, first: Any) -> OpenedFile:
    """The slide, with the damage of the JPEG tiles of its first page, over half of which OpenSlide
    passes."""
    if not is_checked(first):
        return slide
    return replace(slide, damage=JpegTiles(path, first).damage)


def _by_tile(path: Path, slide: OpenedFile, pages: Iterable[Any]) -> OpenedFile:
    """The slide, whose JPEG tiles are decoded by us: the same pixels as OpenSlide's, twice as fast.

    pages: of the file, those of the slide's levels among them, the first of a size.
    """
    by_size: dict[tuple[int, int], Any] = {}
    for page in pages:
        if page.is_tiled and is_checked(page) and page.samplesperpixel == _SAMPLES:
            by_size.setdefault((page.imagewidth, page.imagelength), page)
    levels, closers = list[Level](), [slide.close]
    for level in slide.levels:
        if (page := by_size.get(level.size)) is not None:
            tiles = JpegTiles(path, page)
            segments = Segments(path, page, to_rgb(page), checks=False)
            closers.append(segments.close)
            read_into = functools.partial(_read_into, path, segments)
            level = Level(level.size, level.downsample, read_into, tiles.tile, tiles.damage_of)
        levels.append(level)
    return replace(slide, levels=tuple(levels), close=functools.partial(_close_all, closers))


def _close_all(closers: Iterable[Callable[[], None]]) -> None:
    for close in closers:
        close()


def _with_levels(path: Path, tiff: Any, picture: TiffPicture, slide: OpenedFile) -> OpenedFile:
    """The slide, with the levels that OpenSlide does not read: those of OME, in sub-IFDs."""
    if len(slide.levels) >= len(picture.levels):
        return slide
    ours = _open_levels(path, tiff, picture, slide.mpp)
    if ours is None:
        return slide

    levels = slide.levels + ours.levels[len(slide.levels) :]
    return replace(
        slide, levels=levels, close=functools.partial(_close_all, [slide.close, ours.close])
    )


def _open_levels(path: Path, tiff: Any, picture: TiffPicture, mpp: StatedMpp) -> OpenedFile | None:
    """A picture and its levels; None where level 0 can only be decoded whole."""
    levels: list[Level] = []
    closers: list[Callable[[], None]] = []
    mapped: AnyPixels | None = None
    for number, pages in enumerate(picture.levels):
        if not _is_level(path, tiff, pages, picture):
            break
        readers = [_open_page(path, page) for page in pages]
        if not all(readers):
            break
        size = pages[0].imagewidth, pages[0].imagelength
        downsample = downsample_of(size, picture.size) if number else 1.0
        reads = [reader[0] for reader in readers if reader]
        closers += [reader[1] for reader in readers if reader]
        if len(readers) == 1 and number == 0 and readers[0]:
            mapped = readers[0][2]
        read_into = reads[0] if len(reads) == 1 else functools.partial(_read_planes, reads)
        is_mapped = all(reader[2] is not None for reader in readers if reader)
        tile = None if is_mapped else tile_of(pages[0])
        levels.append(Level(size, downsample, read_into, tile))

    if not levels:
        return None
    return OpenedFile(tuple(levels), mpp, functools.partial(_close_all, closers), mapped)


def _open_page(path: Path, page: Any) -> _Reader | None:
    if (pixels := map_page(path, page)) is not None:
        return functools.partial(crop_into, pixels), lambda: None, pixels
    if has_segments(page):
        segments = Segments(path, page, to_rgb(page))
        return functools.partial(_read_into, path, segments), segments.close, None
    return None


def _is_level(path: Path, tiff: Any, pages: tuple[Any, ...], picture: TiffPicture) -> bool:
    """Whether a level is of this very file, whole, and in a layout that can be read.

    Raises:
        ImageError: where the file ends within it.
    """
    if len(pages) != len(picture.levels[0]) or any(page.parent is not tiff for page in pages):
        return False
    check_complete(path, pages)
    with contextlib.suppress(ImageError):
        for page in pages:
            check_readable(path, page, page.axes)
        return True
    return False


def _read_into(path: Path, segments: Segments, x: int, y: int, out: Pixels) -> None:
    with one_kind_of_error(path):
        segments.read_into(x, y, out)


def _read_planes(
    reads: list[Callable[[int, int, Pixels], None]], x: int, y: int, out: Pixels
) -> None:
    """Read three pages of grey as red, green and blue."""
    plane = np.empty_like(out)
    for channel, read_into in enumerate(reads):
        read_into(x, y, plane)
        out[..., channel] = plane[..., 0]


def _decode(path: Path) -> Pixels:
    with one_kind_of_error(path), tifffile.TiffFile(path) as tiff:
        picture = largest_picture(path, tiff)
        pages = [page.asarray() for page in picture.levels[0]]
        pixels = pages[0] if len(pages) == 1 else np.stack(pages, axis=2)
        if picture.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, 2)
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        return pixels if len(pages) > 1 else to_rgb(picture.page)(pixels)


def check_complete(path: Path, pages: Any) -> None:
    """Raise ImageError where pages lie beyond the file's end.

    Decoders fill in what a file cut short lacks, so that half a slide would pass as grey or black.
    """
    size = path.stat().st_size
    for page in pages:
        starts, counts = page.dataoffsets, page.databytecounts
        end = max((start + count for start, count in zip(starts, counts, strict=False)), default=0)
        if end > size or len(starts) != len(counts):
            raise ImageError(f"{path} is cut short at {size} bytes", "copy or download it again")


def _check_not_turned(path: Path, page: Any) -> None:
    orientation = page.tags.valueof(_ORIENTATION, 1)
    if orientation in range(2, 9):
        raise ImageError(
            f"{path} is a scanner's slide with orientation tag {orientation}, which viewers of "
            "slides do not agree on",
            "set the tag to 1",
        )
