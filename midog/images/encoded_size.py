"""The size that a JPEG or JPEG 2000 states: a decoder would make room for whatever it is."""

from __future__ import annotations

import struct

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF markers of JPEG
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_SIZ = b"\xff\x4f\xff\x51"  # SOC and SIZ of JPEG 2000
_HEAD = 4096  # within which SIZ lies, behind the boxes of a .jp2


def stated_size(data: bytes) -> tuple[int, int] | None:
    """The (width, height) in px that an encoded picture states.

    Args:
        data: a JPEG, a JPEG 2000 code stream or file, or anything else.

    Returns:
        None where it is neither, or states no size.
    """
    if data[:2] == b"\xff\xd8":
        return _of_jpeg(data)
    place = data[:_HEAD].find(_SIZ)
    if place < 0 or len(data) < place + 24:
        return None
    right, bottom, left, top = struct.unpack(">4I", data[place + 8 : place + 24])
    return max(0, right - left), max(0, bottom - top)


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker in _FRAMES:
            height, width = struct.unpack(">2H", data[place + 5 : place + 9])
            return width, height
        else:
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return None
