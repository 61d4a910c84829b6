"""Mutations of image files that keep their structure: numbers in heads, directories and chunks."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from fuzzing.mutate import mutated_bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_NUMBERS = (0, 1, 2, 3, 5, 7, 8, 16, 17, 255, 256, 4096, 32768, 65520, 65535)
_NUMBERS += (65536, 500_000, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_DIRECTORIES = 20


def mutated_image(rng: random.Random, content: bytes) -> bytes:
    """A mutant of an image file: a pure function of the generator.

    Two thirds are changed in place, in what a decoder believes: a TIFF's directories, a PNG's
    chunks (with the checksum mended), the first bytes of all else. One third is `mutated_bytes`.
    """
    if rng.random() < 1 / 3 or len(content) < 16:
        return mutated_bytes(rng, content)
    data = bytearray(content)
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        _mutate_tiff(rng, data)
    elif content.startswith(_PNG):
        _mutate_png(rng, data)
    else:
        _mutate_head(rng, data)
    if rng.random() < 0.2:
        _flip(rng, data, 0, len(data))
    return bytes(data)


def _mutate_tiff(rng: random.Random, data: bytearray) -> None:
    places = list(_fields(bytes(data)))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place, form = rng.choice(places)
        (value,) = struct.unpack_from(form, data, place)
        most = 256 ** struct.calcsize(form) - 1
        near = (value + 1, value - 1, value * 2, value // 2, value ^ 1 << rng.randrange(16))
        other = rng.choice(places)[0]
        choice = rng.choice((*_NUMBERS, *near, *near, len(data), len(data) - 1, other, most))
        struct.pack_into(form, data, place, choice & most)


def _fields(data: bytes) -> Iterator[tuple[int, str]]:
    """Places and formats of the numbers in a TIFF's directories."""
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[:4]
    head, count, entry, place = (8, "Q", 20, "Q") if big else (4, "H", 12, "I")
    yield head, order + place
    at, visited = struct.unpack_from(order + place, data, head)[0], set[int]()
    while at and at not in visited and len(visited) < _DIRECTORIES:
        visited.add(at)
        try:
            (number,) = struct.unpack_from(order + count, data, at)
            yield at, order + count
            start = at + struct.calcsize(count)
            for tag in range(start, start + min(number, 100) * entry, entry):
                kind, values = struct.unpack_from(order + "H" + place, data, tag + 2)
                value = tag + entry - struct.calcsize(place)
                yield from ((tag, order + "H"), (tag + 2, order + "H"), (tag + 4, order + place))
                yield from ((value, order + ("H" if kind == 3 and values == 1 else place)),) * 4
            end = start + number * entry
            at = struct.unpack_from(order + place, data, end)[0]
            yield end, order + place
        except struct.error:
            return


def _mutate_png(rng: random.Random, data: bytearray) -> None:
    """Change bytes of chunks and mend the checksums, so that a decoder believes them."""
    chunks, place = [], len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if place + 12 + length > len(data):
            break
        chunks.append((place, length))
        place += 12 + length
    for _ in range(rng.choice((1, 1, 2, 4))):
        place, length = rng.choice((chunks[0], rng.choice(chunks)))
        if length:
            _flip(rng, data, place + 8, min(length, 64))
        check = zlib.crc32(data[place + 4 : place + 8 + length])
        struct.pack_into(">I", data, place + 8 + length, check)


def _mutate_head(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 2, 4))):
        _flip(rng, data, 0, rng.choice((32, 200, 700, len(data))))


def _flip(rng: random.Random, data: bytearray, start: int, length: int) -> None:
    place = start + rng.randrange(max(1, min(length, len(data) - start)))
    value = rng.choice((0, 1, 127, 128, 254, 255, data[place] ^ 1 << rng.randrange(8)))
    data[place] = value
