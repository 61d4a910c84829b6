"""A whole image decoded once: mapped in place, from the cache folder, or in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

from midog.images.cache import cached_array, default_cache_dir
from midog.images.image import SlideImage, open_image
from midog.images.opened_file import warn_once
from midog.images.pixels import Pixels
from midog.images.tiff_mapped import AnyPixels
from midog.mpp import Scale, both_axes

_MANY_FILES = {".mrxs", ".vms", ".vmu", ".dcm"}
"""Slides of several files: the content of one is no key to the others'."""

_FORMAT = 2  # of cached pixels: raise it when the same file would decode to other bytes
_BAND = 512  # rows decoded at a time, so that a large image does not fill the memory
_BAND_BYTES, _FEWEST_ROWS = 2**26, 16  # of a very wide image fewer rows
_THREADS = 4  # that decode one image: many images are decoded at once as well


def decode(
    path: Path | str,
    *,
    scale: float | Scale = 1.0,
    cache: bool = True,
    cache_dir: Path | None = None,
) -> AnyPixels:
    """All pixels of an image, resampled by `scale`.

    An uncompressed TIFF that is not resampled is mapped where it lies. Otherwise, with `cache`, the
    pixels are a memory map of a file in the cache folder, keyed by the image's bytes and the scale;
    the files used least recently are deleted when all of them pass 64 GiB ($MIDOG_CACHE_GB). A
    folder that is full or not writable is warned of, and the image is decoded into memory.

    Args:
        path: the image file.
        scale: px of the result for a px of level 0; two where x and y differ.
        cache: whether to keep the pixels in the cache folder.
        cache_dir: the cache folder; None takes `default_cache_dir()`.

    Returns:
        (height, width, 3) uint8 RGB, read-only.

    Raises:
        ImageError: as `open_image` and `SlideImage.read`.
    """
    path = Path(path)
    with open_image(path) as image:
        if both_axes(scale) == (1, 1) and image.mapped is not None:
            return image.mapped
        if cache and path.suffix.lower() not in _MANY_FILES and path.is_file():
            folder = (cache_dir or default_cache_dir()) / "decoded"
            variant = f"{_scale_text(scale)}-{_FORMAT}"
            try:
                return cached_array(
                    folder, path, variant, lambda file: _write_npy(file, image, scale)
                )
            except OSError as error:  # of the cache folder: that of an image is an ImageError
                reason = error.strerror or error
                warn_once(f"cache folder {folder} cannot be used ({reason}): decoding into memory")
        image.check()
        width, height = image.scaled_size(scale)
        pixels = np.empty((height, width, 3), np.uint8)
        for y, band in _bands(image, scale):
            pixels[y : y + len(band)] = band
    pixels.flags.writeable = False
    return pixels


def _scale_text(scale: float | Scale) -> str:
    """A scale, in letters that a file's name may have."""
    x, y = both_axes(scale)
    return f"{float(x)!r}" if x == y else f"{float(x)!r}x{float(y)!r}"


def rows_of(path: Path, scale: float = 1.0) -> Iterator[tuple[int, Pixels]]:
    """All rows of an image, resampled by `scale`, a band at a time; nothing else is in memory.

    Args:
        path: the image file.
        scale: px of the result for a px of level 0; the coarsest level that is fine enough is read.

    Yields:
        The number of a band's first row, and the band (height, width, 3) uint8 RGB, from the top
        down.

    Raises:
        ImageError: as `open_image` and `SlideImage.read`.
    """
    with open_image(path) as image:
        yield from _bands(image, scale, image.level_for(scale))


def _bands(image: SlideImage, scale: float | Scale, level: int = 0) -> Iterator[tuple[int, Pixels]]:
    """The rows of an image from the top down, with the number of the first; by several threads."""
    width, height = image.scaled_size(scale)

    def read(y: int) -> tuple[int, Pixels]:
        return y, image.read_scaled(0, y, width, min(rows, height - y), scale, level)

    rows = max(_FEWEST_ROWS, min(_BAND, _BAND_BYTES // (3 * width)))
    threads = min(_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[tuple[int, Pixels]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="midog-bands") as pool:
        try:
            for y in range(0, height, rows):
                waiting.append(pool.submit(read, y))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write_npy(file: BinaryIO, image: SlideImage, scale: float | Scale) -> None:
    image.check()
    width, height = image.scaled_size(scale)
    header = {"descr": "|u1", "fortran_order": False, "shape": (height, width, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    for _, band in _bands(image, scale):
        file.write(band.data)  # not through a memory map: on a full disk that is a bus error
