"""Strips and tiles of a compressed TIFF, decoded where a region needs them; the latest are kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from midog.images.encoded_size import stated_size
from midog.images.pixels import Pixels, pieces
from midog.images.trial import damage_of_jpegs

_JPEG = tifffile.COMPRESSION.JPEG
_JPEG_2000 = (33003, 33004, 33005, 34712)

_KEPT_BYTES = 384 * 2**20
"""Decoded strips that one page keeps: a row of inference tiles of 1536 px across 85,000 px needs
that much, and a larger image takes no more."""

_KEPT_TILE_BYTES = 64 * 2**20
"""Decoded tiles that one page keeps: those of a few inference tiles, however wide the image. What
the next row of these shares with this one, some 60 px, is decoded again."""


class Segments:
    """Pixels of a TIFF page by region. Threads that read at once share what is decoded."""

    def __init__(
        self, path: Path, page: Any, to_rgb: Callable[[Pixels], Pixels], *, checks: bool = True
    ) -> None:
        """Open the file.

        Args:
            path: the file.
            page: one of its pages, as tifffile gives it, that `has_segments`.
            to_rgb: makes (height, width, 3) RGB of a decoded (height, width, samples); a strip or
                tile that the file leaves out is white.
            checks: whether damage of a JPEG over which its decoder passes is an error.
        """
        self._path = path
        self._file = path.open("rb")
        self._compression, self._checks = page.compression, checks
        self._decode = page.decode
        tables = page.jpegtables  # a tag, read from the file: now, while tifffile has it open
        self._tables = {"jpegtables": tables} if tables else {}
        self._places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        self._planes = page.samplesperpixel if page.planarconfig == 2 else 1
        self._to_rgb = to_rgb
        self._size = _segment_size(page)
        self._across = -(-page.imagewidth // self._size[1])
        kept_bytes = _KEPT_TILE_BYTES if page.is_tiled else _KEPT_BYTES
        self._most = max(1, kept_bytes // (3 * self._size[0] * self._size[1]))
        self._kept: dict[int, Future[Pixels]] = {}  # the one used least recently is the first
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file and drop what was decoded."""
        self._file.close()
        self._kept.clear()

    def read_into(self, x: int, y: int, out: Pixels) -> None:
        """Copy a region that lies wholly inside the page into `out`.

        Args:
            x, y: left upper corner of the region, px.
            out: (height, width, 3) uint8, overwritten; its shape is the region's size.
        """
        later = []  # segments that another thread is decoding: meanwhile take the next
        for row, column, part, place in pieces((x, y), out.shape, self._size):
            segment = self._segment(row * self._across + column)
            if segment.done():
                out[place] = segment.result()[part]
            else:
                later.append((segment, part, place))
        for segment, part, place in later:
            out[place] = segment.result()[part]

    def _segment(self, number: int) -> Future[Pixels]:
        """A segment that is decoded, or that another thread is decoding."""
        with self._lock:
            kept = self._kept.pop(number, None)
            segment = self._kept[number] = kept or Future()
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        if kept is None:
            try:
                segment.set_result(self._load(number))
            except BaseException as error:
                with self._lock:
                    self._kept.pop(number, None)
                segment.set_exception(error)
        return segment

    def _load(self, number: int) -> Pixels:
        step = len(self._places) // self._planes
        planes = []
        for index in range(number, len(self._places), step):
            start, count = self._places[index]
            if not start or not count:  # left out: nothing was scanned there
                return np.full((*self._size, 3), 255, np.uint8)
            data = os.pread(self._file.fileno(), count, start)
            self._check(data, start)
            planes.append(self._decode(data, index, **self._tables)[0][0])
        return self._to_rgb(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2))

    def _check(self, data: bytes, start: int) -> None:
        """Raise ValueError for a part that states a size beyond its place, or a damaged JPEG."""
        if self._compression not in (_JPEG, *_JPEG_2000):
            return
        size = stated_size(data)
        if size and (size[0] > self._size[1] or size[1] > self._size[0]):
            raise ValueError(f"a part of {self._size[1]} x {self._size[0]} px states {size}")
        if self._compression == _JPEG and self._checks:
            tables = self._tables.get("jpegtables", b"")
            if damage := damage_of_jpegs(self._path, [(start, len(data))], tables):
                raise ValueError(damage)


def has_segments(page: Any) -> bool:
    """Whether every strip or tile of a page of tifffile's can be decoded by itself."""
    size = _segment_size(page)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    count = planes * -(-page.imagelength // size[0]) * -(-page.imagewidth // size[1])
    # Of a .ndpi, tifffile shows as tiles what is one JPEG.
    return len(page.dataoffsets) == count and page.jpegheader is None


def _segment_size(page: Any) -> tuple[int, int]:
    """(height, width), px."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth
