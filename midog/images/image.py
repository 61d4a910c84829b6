"""Images and slides: open, mpp, regions at level 0 or resampled; a whole ROI decoded once into the
cache."""

from __future__ import annotations

import functools
import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from PIL import Image

from midog.images.cache import cached_array, default_cache_dir
from midog.images.open_file import Pixels, Source, open_source, warn_once
from midog.images.tiff_mapped import AnyPixels, crop_into, crop_on_white

_SLIDES = {".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide", ".dcm"}
IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg"} | _SLIDES)
"""Endings by which images are found in a folder."""

MPP_TOLERANCE = 0.1
"""An image is resampled where its mpp differs from the model's by more than this share."""

_MANY_FILES = {
    ".mrxs",
    ".vms",
    ".vmu",
    ".dcm",
}  # slides whose one file does not tell the content of the others
_FORMAT = 1  # of cached pixels: raise it when the same file would decode to other bytes
_BAND = 512  # rows decoded at a time, so that a large image does not fill the memory
_THREADS = 4  # that decode one image: many images are decoded at once as well


class SlideImage:
    """An open image: its size, its mpp and its pixels. Close it, or use it in `with`.

    path: the file ("array" where an array was given).
    width, height: level-0 px.
    mpp: micrometres per level-0 pixel, mean of x and y; None where the file does not say, or they
    differ by over 1 %.
    mapped: all of level 0 where it lies uncompressed in the file or in memory, else None; valid
    after `close`. Any number of threads may read from one object.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self.width, self.height = source.size
        self.mpp = source.mpp
        self.mapped = source.mapped
        self._source = source

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of decoded pixels."""
        self._source.close()

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """A new array (height, width, 3) uint8 RGB of level 0, its top left at any (x, y); white
        beyond the edges.

        Raises ImageError where the file's pixels cannot be decoded.
        """
        out = np.empty((int(height), int(width), 3), np.uint8)
        crop_on_white((self.width, self.height), self._source.read_into, int(x), int(y), out)
        return out

    def scaled_size(self, scale: float) -> tuple[int, int]:
        """(width, height) in px of the image resampled by `scale`, rounded up."""
        return math.ceil(self.width * scale - 1e-9), math.ceil(self.height * scale - 1e-9)

    def read_scaled(self, x: int, y: int, width: int, height: int, scale: float) -> Pixels:
        """As `read`, in the frame of the image resampled by `scale` = mpp of the image / wanted
        mpp.

        x, y, width, height: px of that frame (level-0 px * scale). A pixel has the same value in
        whatever region it is read: it is always resampled (bicubic, antialiased) within the same
        block of a fixed grid.
        """
        assert scale > 0, scale
        if scale == 1:
            return self.read(x, y, width, height)
        out = np.full((height, width, 3), 255, np.uint8)
        full_width, full_height = self.scaled_size(scale)
        right, bottom = min(x + width, full_width), min(y + height, full_height)
        side = max(
            16, min(256, int(4096 * scale))
        )  # bounds what one block reads, however coarse the scale
        for block_y in range(max(y, 0) // side * side, bottom, side):
            for block_x in range(max(x, 0) // side * side, right, side):
                size = min(side, full_width - block_x), min(side, full_height - block_y)
                top, left = max(block_y, y), max(block_x, x)
                block = self._scaled_block(block_x, block_y, size, scale)
                part = block[top - block_y : bottom - block_y, left - block_x : right - block_x]
                out[top - y :, left - x :][: part.shape[0], : part.shape[1]] = part
        return out

    def _scaled_block(self, x: int, y: int, size: tuple[int, int], scale: float) -> Pixels:
        x1, y1, x2, y2 = x / scale, y / scale, (x + size[0]) / scale, (y + size[1]) / scale
        margin = 2 * max(1.0, 1 / scale) + 1  # bicubic reaches two pixels of the coarser grid
        left, top = max(0, math.floor(x1 - margin)), max(0, math.floor(y1 - margin))
        right = max(math.ceil(x2), min(math.ceil(x2 + margin), self.width))
        bottom = max(math.ceil(y2), min(math.ceil(y2 + margin), self.height))
        region = Image.fromarray(self.read(left, top, right - left, bottom - top))
        box = (x1 - left, y1 - top, x2 - left, y2 - top)
        return np.asarray(region.resize(size, Image.Resampling.BICUBIC, box=box))


def open_image(path: Path | str) -> SlideImage:
    """Open a slide (what OpenSlide opens), a plain or OME TIFF, a PNG or a JPEG.

    Grey becomes RGB, transparency becomes white. Raises ImageError for a file that is missing, a
    folder, not an image, cut short or damaged, or other than 8-bit grey, RGB or RGBA; where only
    decoding shows it, on the first reading.
    """
    path = Path(path)
    return SlideImage(path, open_source(path))


def as_image(array: Pixels, mpp: float | None) -> SlideImage:
    """An image over pixels (H, W, 3) uint8 RGB, not copied; mpp in um/px, None where not known."""
    assert array.dtype == np.uint8, array.dtype
    assert array.shape[2:] == (3,), array.shape
    size = array.shape[1], array.shape[0]
    return SlideImage(
        Path("array"), Source(size, mpp, functools.partial(crop_into, array), lambda: None, array)
    )


def decode(
    path: Path | str, *, scale: float = 1.0, cache: bool = True, cache_dir: Path | None = None
) -> AnyPixels:
    """The whole image resampled by `scale`, (H, W, 3) uint8 RGB, read-only.

    An uncompressed TIFF that is not resampled is mapped where it lies
    (`midog.images.tiff_mapped.map_page`). All else is an array. With `cache` it is a memory map of
    a file in `cache_dir` (else `default_cache_dir()`), keyed by the image's bytes and the scale,
    and made where it is not there yet; the files used least recently go when all of them pass 64
    GiB ($MIDOG_CACHE_GB). A folder that is full or not writable is warned of, and the image decoded
    into memory. Raises ImageError as `open_image` and `SlideImage.read` do.
    """
    path = Path(path)
    with open_image(path) as image:
        if scale == 1 and image.mapped is not None:
            return image.mapped
        if cache and path.suffix.lower() not in _MANY_FILES:
            folder, variant = (
                (cache_dir or default_cache_dir()) / "decoded",
                f"{float(scale)!r}-{_FORMAT}",
            )
            try:
                return cached_array(
                    folder, path, variant, lambda file: _write_npy(file, image, scale)
                )
            except (
                OSError
            ) as error:  # of the cache folder: what is wrong with the image is an ImageError
                warn_once(
                    f"cache folder {folder} cannot be used ({error.strerror or error}): decoding"
                    " into memory"
                )
        width, height = image.scaled_size(scale)
        pixels = np.empty((height, width, 3), np.uint8)
        for y, band in _bands(image, scale):
            pixels[y : y + len(band)] = band
    pixels.flags.writeable = False
    return pixels


def _bands(image: SlideImage, scale: float) -> Iterator[tuple[int, Pixels]]:
    """The rows of an image from the top down, some at a time, with the number of the first; by
    several threads."""
    width, height = image.scaled_size(scale)

    def read(y: int) -> tuple[int, Pixels]:
        return y, image.read_scaled(0, y, width, min(_BAND, height - y), scale)

    threads = min(_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[tuple[int, Pixels]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="midog-bands") as pool:
        try:
            for y in range(0, height, _BAND):
                waiting.append(pool.submit(read, y))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write_npy(file: BinaryIO, image: SlideImage, scale: float) -> None:
    width, height = image.scaled_size(scale)
    header = {"descr": "|u1", "fortran_order": False, "shape": (height, width, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    for _, band in _bands(image, scale):
        file.write(band.data)  # not through a memory map: on a full disk that is a bus error


def scale_for(image_mpp: float, model_mpp: float) -> float:
    """Factor by which to resample an image for a model; 1 where their um/px differ by at most
    MPP_TOLERANCE."""
    ratio = image_mpp / model_mpp
    return 1.0 if abs(ratio - 1) <= MPP_TOLERANCE + 1e-9 else ratio
