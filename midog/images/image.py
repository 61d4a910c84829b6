"""Images and slides: open one, its mpp and levels, regions at level 0, at a level or resampled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from midog.images.damaged_tiles import DamagedTiles
from midog.images.open_file import open_file
from midog.images.opened_file import Level, OpenedFile, damaged, in_memory
from midog.images.pixels import Pixels, crop_on_white
from midog.mpp import MppLike, Scale, StatedMpp, as_mpp, both_axes

SLIDE_SUFFIXES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide", ".dcm"}
)
"""Endings, in lower case, of slides that are no TIFF by name."""
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".jp2", ".j2k", ".gif", ".mha"}
IMAGE_SUFFIXES = frozenset({".tif", ".tiff"} | _PICTURES | SLIDE_SUFFIXES)
"""Endings, in lower case, of the files of a folder that count as images."""


class SlideImage:
    """An open image: its size, its mpp and its pixels. Close it, or use it in `with`.

    path: the file ("array" where an array was given).
    width, height: level-0 px.
    mpp: micrometres per level-0 px along x and y; None where the file states none that is
        plausible.
    stated_mpp: the same, with its source and what was refused.
    levels: what resolutions the file holds, the finest first.
    mapped: all of level 0 where it lies uncompressed in the file or in memory, else None; valid
        after `close`.
    origin: (x, y), level-0 px: the corner of the slide's bounds, from which QuPath counts; (0, 0)
        where the file states none.
    Any number of threads may read from one object.
    """

    def __init__(self, path: Path, file: OpenedFile, *, past_damage: bool = False) -> None:
        self.path, self._damaged = path, DamagedTiles(path, is_white=past_damage)
        file = self._damaged.watched(file)
        self.width, self.height = file.size
        self.stated_mpp, self.mpp = file.mpp, file.mpp.mpp
        self.levels: tuple[Level, ...] = file.levels
        self.mapped, self.origin = file.mapped, file.origin
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and drop decoded pixels."""
        self._file.close()

    def check(self) -> None:
        """Look through all of level 0 for damage over which reading passes.

        Raises:
            ImageError: where the decoder of its JPEG tiles has something to say.
        """
        if damage := self._file.damage():
            raise damaged(self.path, damage)
        self._damaged.all_sound()

    def report_damage(self) -> None:
        """State how many damaged tiles were read as white, of an image opened `past_damage`.

        Raises:
            ImageError: where all that was read is damaged.
        """
        self._damaged.report()

    def read(self, x: int, y: int, width: int, height: int, level: int = 0) -> Pixels:
        """A region of a level, white beyond its edges.

        Args:
            x, y: left upper corner, px of that level; any integers.
            width, height: size, px of that level.
            level: index in `levels`.

        Returns:
            A new array (height, width, 3) uint8 RGB.

        Raises:
            ImageError: where the file's pixels cannot be decoded.
        """
        out = np.empty((int(height), int(width), 3), np.uint8)
        chosen = self.levels[level]
        crop_on_white(chosen.size, chosen.read_into, int(x), int(y), out)
        return out

    def scaled_size(self, scale: float | Scale) -> tuple[int, int]:
        """(width, height) in px of the image resampled by `scale`, rounded up.

        Args:
            scale: px of the resampled image for a px of level 0; two where x and y differ.
        """
        x, y = both_axes(scale)
        return math.ceil(self.width * x - 1e-9), math.ceil(self.height * y - 1e-9)

    def read_scaled(
        self, x: int, y: int, width: int, height: int, scale: float | Scale, level: int = 0
    ) -> Pixels:
        """A region of the image resampled by `scale`, white beyond the image's edges.

        A px has the same value in whatever region it is read: it is always resampled (bicubic,
        antialiased) within the same block of a fixed grid.

        Args:
            x, y, width, height: px of the resampled image (level-0 px * scale).
            scale: mpp of the image / wanted mpp; two where x and y differ.
            level: index in `levels` of what is resampled; `level_for(scale)` is the cheapest.

        Returns:
            A new array (height, width, 3) uint8 RGB.

        Raises:
            ImageError: where the file's pixels cannot be decoded.
        """
        scale_x, scale_y = both_axes(scale)
        assert min(scale_x, scale_y) > 0, scale
        level_width, level_height = self.levels[level].size
        scales = scale_x * (self.width / level_width), scale_y * (self.height / level_height)
        if scales == (1.0, 1.0):
            return self.read(x, y, width, height, level)
        out = np.full((height, width, 3), 255, np.uint8)
        full_width, full_height = self.scaled_size(scale)
        right, bottom = min(x + width, full_width), min(y + height, full_height)
        # bounds what one block reads, however coarse the scale
        side = max(16, min(256, int(4096 * min(scales))))
        for block_y in range(max(y, 0) // side * side, bottom, side):
            for block_x in range(max(x, 0) // side * side, right, side):
                size = min(side, full_width - block_x), min(side, full_height - block_y)
                top, left = max(block_y, y), max(block_x, x)
                block = self._scaled_block(block_x, block_y, size, scales, level)
                part = block[top - block_y : bottom - block_y, left - block_x : right - block_x]
                out[top - y :, left - x :][: part.shape[0], : part.shape[1]] = part
        return out

    def level_for(self, scale: float | Scale) -> int:
        """Index of the coarsest level that is at least as fine as the image resampled by `scale`.

        Args:
            scale: px of the resampled image for a px of level 0; two where x and y differ.
        """
        most = max(both_axes(scale))
        fine = [n for n, level in enumerate(self.levels) if level.downsample * most <= 1 + 1e-3]
        return max(fine, key=lambda number: self.levels[number].downsample, default=0)

    def overview(self, scale: float | Scale) -> Pixels:
        """The whole image resampled by `scale`, from the coarsest level that is fine enough.

        Args:
            scale: px of the overview for a px of level 0, such as 1/32; a point x y of level 0 is
                at x * scale, y * scale.

        Returns:
            A new array of `scaled_size(scale)`: (height, width, 3) uint8 RGB.

        Raises:
            ImageError: where the file's pixels cannot be decoded.
        """
        width, height = self.scaled_size(scale)
        return self.read_scaled(0, 0, width, height, scale, self.level_for(scale))

    def _scaled_block(
        self, x: int, y: int, size: tuple[int, int], scales: tuple[float, float], level: int
    ) -> Pixels:
        """A block at x, y of that (width, height) in px of the resampled image.

        scales: px of the resampled image for a px of the level, in x and y.
        """
        width, height = self.levels[level].size
        scale_x, scale_y = scales
        x1, y1, x2, y2 = (
            x / scale_x,
            y / scale_y,
            (x + size[0]) / scale_x,
            (y + size[1]) / scale_y,
        )
        # bicubic reaches two px of the coarser grid
        margin_x, margin_y = (2 * max(1.0, 1 / scale) + 1 for scale in scales)
        left, top = max(0, math.floor(x1 - margin_x)), max(0, math.floor(y1 - margin_y))
        right = max(math.ceil(x2), min(math.ceil(x2 + margin_x), width))
        bottom = max(math.ceil(y2), min(math.ceil(y2 + margin_y), height))
        region = Image.fromarray(self.read(left, top, right - left, bottom - top, level))
        box = (x1 - left, y1 - top, x2 - left, y2 - top)
        return np.asarray(region.resize(size, Image.Resampling.BICUBIC, box=box))


def open_image(path: Path | str, *, past_damage: bool = False) -> SlideImage:
    """Open a slide (whatever OpenSlide opens), a plain or OME TIFF, a PNG, JPEG, BMP, GIF, WebP,
    JPEG 2000 or MetaImage (.mha).

    Of several pictures in a TIFF, the largest is meant. Grey becomes RGB, what is transparent or
    left out becomes white, and the picture is turned as its orientation tag says.

    Args:
        path: the file.
        past_damage: a damaged tile or strip is read as white, and a warning says where it is; else
            it is an error on reading.

    Raises:
        ImageError: for a file that is missing, a folder, not an image, cut short or damaged, or
            other than 8-bit grey, palette, RGB or RGBA; where only decoding shows it, on the first
            reading.
    """
    path = Path(path)
    return SlideImage(path, open_file(path), past_damage=past_damage)


def as_image(array: Pixels, mpp: MppLike | None) -> SlideImage:
    """An image over pixels that are not copied.

    Args:
        array: (height, width, 3) uint8 RGB.
        mpp: micrometres per px, one number or x and y; None where unknown.
    """
    assert array.dtype == np.uint8, array.dtype
    assert array.shape[2:] == (3,), array.shape
    return SlideImage(Path("array"), in_memory(array, StatedMpp(as_mpp(mpp))))
