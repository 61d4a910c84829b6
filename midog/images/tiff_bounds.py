"""A TIFF's directories, walked before any library sees them: every number against its bounds.

A damaged number makes libraries loop, fill the memory, or end the process.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from midog.errors import ImageError

LONGEST_SIDE_PX = 500_000
"""Of an image: a section of 6 cm at 0.12 um/px."""

_MOST_DIRECTORIES = 4096
_MOST_TAGS = 4096
_LARGEST_TILE_PX = 2**26
_LARGEST_STRIP = 2**30  # bytes, decoded
_MOST_EXPANDED = 2000  # bytes of pixels for a byte of the file; JPEG and deflate reach some 1000
_SMALL = 2**28  # bytes of pixels for which it does not matter
_BIGGEST_VALUE = 64  # of the numbers of a tag that are read here

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _STRIP_ROWS = 256, 257, 258, 259, 277, 278
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES = 284, 322, 323, 330
_OFFSETS, _BYTE_COUNTS = {273, 324}, {279, 325}  # of strips, of tiles
_PLANES = 2  # value of _PLANAR
_NDPI = 65420  # its places beyond 4 GiB are no TIFF's, and its strip is a JPEG read in parts
_READ = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _STRIP_ROWS, _PLANAR}
_READ |= {_TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES}


@dataclass(frozen=True)
class _Layout:
    """How numbers lie in a file: byte order, and the formats of TIFF or BigTIFF."""

    order: str
    count: str
    entry: str
    place: str

    def numbers(self, file: BinaryIO, place: int, form: str) -> tuple[int, ...]:
        """Unpack what lies at a place; struct.error where the file ends before."""
        file.seek(place)
        return struct.unpack(self.order + form, file.read(struct.calcsize(self.order + form)))


def check_tiff(path: Path) -> None:
    """Check the directories of a TIFF.

    Raises:
        ImageError: for directories that form a ring, reach beyond the file's end, or state sizes
            that no picture of this file can have.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            _check(path, file, size)
        except struct.error:
            raise _cut_short(path, size) from None


def _check(path: Path, file: BinaryIO, size: int) -> None:
    head = file.read(4)
    order = "<" if head[:2] == b"II" else ">"
    if b"+" in head:
        layout, places = _Layout(order, "Q", "HHQQ", "Q"), [8]
    else:
        layout, places = _Layout(order, "H", "HHII", "I"), [4]
    (place,) = layout.numbers(file, places[0], layout.place)
    chain: set[int] = set()
    below: set[int] = set()
    while place:
        waiting = [place]
        chain.add(place)
        while waiting:
            tags, counts, after = _directory(path, file, size, waiting[0], layout)
            if _NDPI in counts and size >= 2**32:
                return
            _check_page(path, f"page {len(chain)}", tags, counts, size)
            if waiting[0] == place:
                following = after
            waiting = [*waiting[1:], *(set(tags.get(_SUB_DIRECTORIES, ())) - below - {0})]
            below.update(waiting)
            if chain & set(waiting):
                raise _ring(path, place)
            if len(chain) + len(below) > _MOST_DIRECTORIES:
                raise _damaged(path, f"it has more than {_MOST_DIRECTORIES} directories")
        place = following
        if place in chain:
            raise _ring(path, place)


def _directory(
    path: Path, file: BinaryIO, size: int, place: int, layout: _Layout
) -> tuple[dict[int, tuple[int, ...]], dict[int, int], int]:
    """The tags that are read here, how many values every tag has, and the next directory."""
    (number,) = layout.numbers(file, place, layout.count)
    if number > _MOST_TAGS:
        raise _damaged(path, f"its directory at byte {place} claims {number} tags")
    start = place + struct.calcsize(layout.order + layout.count)
    each = struct.calcsize(layout.order + layout.entry)
    inline = struct.calcsize(layout.order + layout.place)
    tags, counts = {}, {}
    for entry in range(start, start + number * each, each):
        tag, kind, count, value = layout.numbers(file, entry, layout.entry)
        length = count * _SIZES.get(kind, 1)
        if length > size:
            raise _damaged(path, f"its tag {tag} claims {count} values, more than the file holds")
        counts[tag] = count
        if length <= inline:
            value = entry + each - inline
        elif tag in _READ | _OFFSETS | _BYTE_COUNTS and value + length > size:
            raise _cut_short(path, size)
        if tag in _READ and kind in _INTEGERS:
            tags[tag] = layout.numbers(
                file, value, f"{min(count, _BIGGEST_VALUE)}{_INTEGERS[kind]}"
            )
    (after,) = layout.numbers(file, start + number * each, layout.place)
    return tags, counts, after


def _check_page(
    path: Path,
    name: str,
    tags: dict[int, tuple[int, ...]],
    counts: dict[int, int],
    size: int,
) -> None:
    """Check the sizes that a directory states."""

    def stated(tag: int, default: int) -> int:
        return next(iter(tags.get(tag, ())), default)

    width, height = stated(_WIDTH, 0), stated(_HEIGHT, 0)
    check_size(path, width, height, size, f"{name} of ")
    if _NDPI in counts:
        return
    samples, bits = stated(_SAMPLES, 1), max(tags.get(_BITS, (1,)))
    if samples < 1 or not 1 <= bits <= 64:
        raise _damaged(path, f"{name} has {samples} samples of {bits} bits for a px")
    if _TILE_WIDTH in tags or _TILE_HEIGHT in tags:
        part, columns, rows = "tile", stated(_TILE_WIDTH, 0), stated(_TILE_HEIGHT, 0)
        fits = columns * rows <= _LARGEST_TILE_PX
    else:
        part, columns, rows = "strip", width, min(stated(_STRIP_ROWS, height), height)
        plain = stated(_COMPRESSION, 1) == 1
        fits = plain or columns * rows * samples * bits // 8 <= _LARGEST_STRIP
    if min(columns, rows) < 1 or not fits:
        bound = f"{_LARGEST_TILE_PX:,} px" if part == "tile" else f"{_LARGEST_STRIP:,} bytes"
        raise _damaged(path, f"{name} has {part}s of {columns:,} x {rows:,} px, not 1 to {bound}")
    needed = -(-width // columns) * -(-height // rows)
    needed *= samples if stated(_PLANAR, 1) == _PLANES else 1
    listed = max(counts.get(tag, 0) for tag in _OFFSETS)
    if listed < needed:
        raise _damaged(path, f"{name} lists {listed:,} of its {needed:,} {part}s")


def check_size(path: Path, width: int, height: int, file_size: int, of: str = "") -> None:
    """Check the size of a picture that a file states.

    Args:
        path: the file, for the error.
        width, height: px.
        file_size: bytes.
        of: which picture, for the error, as "page 2 of ".

    Raises:
        ImageError: where a side is not 1 to 500,000 px, or there are more than 2,000 bytes of
            pixels for a byte of the file.
    """
    if not (1 <= width <= LONGEST_SIDE_PX and 1 <= height <= LONGEST_SIDE_PX):
        raise ImageError(
            f"{of}{path} is {width:,} x {height:,} px: a side is not 1 to {LONGEST_SIDE_PX:,} px",
            "copy or download it again, or cut it into pieces",
        )
    pixels = 3 * width * height
    if pixels > max(_SMALL, _MOST_EXPANDED * file_size):
        raise ImageError(
            f"{of}{path} claims {width:,} x {height:,} px in {file_size:,} bytes: more than "
            f"{_MOST_EXPANDED:,} bytes of pixels for a byte of the file",
            "copy or download it again, or cut out the tissue",
        )


def _damaged(path: Path, reason: str) -> ImageError:
    return ImageError(f"{path} is damaged: {reason}", "copy or download it again")


def _ring(path: Path, place: int) -> ImageError:
    return _damaged(path, f"its directory at byte {place} points back at itself")


def _cut_short(path: Path, size: int) -> ImageError:
    return ImageError(f"{path} is cut short at {size} bytes", "copy or download it again")
