"""Strips and tiles of a compressed TIFF, decoded where a region needs them; the latest are kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from midog.images.cache import Pixels
from midog.images.tiff_mapped import pieces

_KEPT_BYTES = (
    384 * 2**20
)  # a row of inference tiles of 1536 px across 85,000 px; a larger image takes no more


class Segments:
    """Pixels of a TIFF page by region. Threads that read at once share what they decode, and the
    work of it."""

    def __init__(self, path: Path, page: Any, to_rgb: Callable[[Pixels], Pixels]) -> None:
        """page: of tifffile's, one that `has_segments`. to_rgb: what makes (h, w, 3) RGB of its (h,
        w, samples)."""
        self._file = path.open("rb")
        self._decode = page.decode
        self._tables = (
            {"jpegtables": page.jpegtables} if page.jpegtables else {}
        )  # a tag, which is read here
        self._places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        self._planes = page.samplesperpixel if page.planarconfig == 2 else 1
        self._to_rgb = to_rgb
        self._size = _segment_size(page)
        self._across = -(-page.imagewidth // self._size[1])
        self._most = max(1, _KEPT_BYTES // (3 * self._size[0] * self._size[1]))
        self._kept: dict[int, Future[Pixels]] = {}  # the one used least recently is the first
        self._lock = threading.Lock()

    def close(self) -> None:
        self._file.close()
        self._kept.clear()

    def read_into(self, x: int, y: int, out: Pixels) -> None:
        """Copy the region at x, y, of the size of `out` (height, width, 3) and wholly inside the
        image, into `out`."""
        later = []  # what another thread is decoding: this one goes on with the next
        for row, column, source, target in pieces((x, y), out.shape, self._size):
            segment = self._segment(row * self._across + column)
            if segment.done():
                out[target] = segment.result()[source]
            else:
                later.append((segment, source, target))
        for segment, source, target in later:
            out[target] = segment.result()[source]

    def _segment(self, number: int) -> Future[Pixels]:
        """A segment that is decoded, or that another thread is decoding."""
        with self._lock:
            known = self._kept.pop(number, None)
            segment = self._kept[number] = known or Future()
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        if known is None:
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
            data = os.pread(self._file.fileno(), count, start)
            planes.append(self._decode(data, index, **self._tables)[0][0])
        return self._to_rgb(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2))


def has_segments(page: Any) -> bool:
    """Whether each strip or tile of a page is there and can be had by itself."""
    size = _segment_size(page)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    count = planes * -(-page.imagelength // size[0]) * -(-page.imagewidth // size[1])
    # Of a .ndpi, tifffile shows as tiles what is one JPEG.
    return len(page.dataoffsets) == count and all(page.databytecounts) and page.jpegheader is None


def _segment_size(page: Any) -> tuple[int, int]:
    """(height, width)."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth
