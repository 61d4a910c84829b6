"""Slides that OpenSlide reads: regions of any level straight from the file."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openslide
from PIL import Image

from midog.images.opened_file import Level, OpenedFile, on_white, one_kind_of_error
from midog.images.pixels import Pixels, pieces
from midog.images.stated_mpp import mpp_of_slide
from midog.images.trial import try_slide
from midog.mpp import Statement, settle

GENERIC = "generic-tiff"
"""OpenSlide's name for a tiled TIFF of nobody's."""

_BLOCK = 512  # px of a level
_SIDES = ("width", "height")


def vendor_of(path: Path) -> str | None:
    """OpenSlide's name for the format of a file, None for one that it does not read."""
    vendor: str | None = openslide.OpenSlide.detect_format(path)
    return vendor


def open_slide(path: Path, mpp_in_tags: Sequence[Statement | None] = ()) -> OpenedFile:
    """Open a slide; OpenSlide is thread-safe and keeps tiles that it decoded.

    Args:
        path: a file that `vendor_of` names.
        mpp_in_tags: what a TIFF itself states of its um/px, after what OpenSlide states.

    Raises:
        ImageError: for a scanner's file that would end the process.
        openslide.OpenSlideError: for a file that OpenSlide cannot open.
    """
    if vendor_of(path) != GENERIC:  # whose numbers are all checked before
        try_slide(path)
    slide = _Handle(path)
    sizes, downsamples = slide.level_dimensions, slide.level_downsamples
    readers = [
        _SlideLevel(path, slide, number, size, downsample)
        for number, (size, downsample) in enumerate(zip(sizes, downsamples, strict=True))
    ]
    levels = tuple(
        Level(reader.size, reader.downsample, reader.read_into, _tile_of(slide.properties, number))
        for number, reader in enumerate(readers)
    )
    mpp = settle(str(path), [*mpp_of_slide(slide.properties), *mpp_in_tags])
    return OpenedFile(levels, mpp, slide.close, origin=_origin(slide.properties))


def _origin(properties: Mapping[str, str]) -> tuple[int, int]:
    """The corner of the slide's bounds, px of level 0; (0, 0) unless all four numbers are stated,
    as QuPath has it (`OpenslideImageServer`)."""
    sides = (openslide.PROPERTY_NAME_BOUNDS_WIDTH, openslide.PROPERTY_NAME_BOUNDS_HEIGHT)
    corner = (openslide.PROPERTY_NAME_BOUNDS_X, openslide.PROPERTY_NAME_BOUNDS_Y)
    try:
        x, y, *_ = (int(properties[name]) for name in (*corner, *sides))
    except (KeyError, ValueError):
        return (0, 0)
    return (x, y)


def _tile_of(properties: Mapping[str, str], level: int) -> tuple[int, int]:
    """(width, height) of the tiles in which a level is stored, px."""
    sides = [properties.get(f"openslide.level[{level}].tile-{side}") for side in _SIDES]
    width, height = (int(side) if side and side.isdigit() else _BLOCK for side in sides)
    return max(width, 1), max(height, 1)


class _Handle:
    """An open slide, opened anew after an error: OpenSlide refuses all that is read after one."""

    def __init__(self, path: Path) -> None:
        self._path, self._slide = path, openslide.OpenSlide(path)
        self._lock = threading.Lock()
        self.level_dimensions = self._slide.level_dimensions
        self.level_downsamples = self._slide.level_downsamples
        self.properties = dict(self._slide.properties)

    def close(self) -> None:
        self._slide.close()

    def read_region(
        self, corner: tuple[int, int], level: int, size: tuple[int, int]
    ) -> Image.Image:
        """As OpenSlide's, from any thread; an error of another thread's region is none of this."""
        slide = self._slide
        try:
            return slide.read_region(corner, level, size)
        except openslide.OpenSlideError:
            # a handle that is replaced is closed once no thread reads from it any more
            with self._lock, openslide.OpenSlide(self._path) as alone:
                if self._slide is slide:
                    self._slide = openslide.OpenSlide(self._path)
                return alone.read_region(corner, level, size)


@dataclass(frozen=True)
class _SlideLevel:
    """A level of an open slide; number, size and downsample as OpenSlide states them."""

    path: Path
    slide: Any
    number: int
    size: tuple[int, int]
    downsample: float

    def read_into(self, x: int, y: int, out: Pixels) -> None:
        """As `Level.read_into`.

        OpenSlide takes corners in px of level 0. Where a level's corner falls between two of these,
        it shifts the region by part of a px; so that a px has one value whatever the region, such
        levels are read in blocks of a fixed grid.
        """
        if self.downsample == int(self.downsample):
            out[:] = self._read(x, y, (out.shape[1], out.shape[0]))
            return
        for row, column, part, place in pieces((x, y), out.shape, (_BLOCK, _BLOCK)):
            left, top = column * _BLOCK, row * _BLOCK
            size = min(_BLOCK, self.size[0] - left), min(_BLOCK, self.size[1] - top)
            out[place] = self._read(left, top, size)[part]

    def _read(self, x: int, y: int, size: tuple[int, int]) -> Pixels:
        corner = round(x * self.downsample), round(y * self.downsample)
        with one_kind_of_error(self.path):
            return on_white(self.slide.read_region(corner, self.number, size))
