"""A DICOM slide, as scanners write it: a file for each level, in one folder."""

from __future__ import annotations

import struct
from pathlib import Path

from midog.images.pixels import Pixels

_VL_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_LONG = (b"OB", b"SQ", b"UN", b"UC")
_TILE = 64


def _element(tag: int, kind: bytes, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        value = struct.pack({b"US": "<H", b"UL": "<I"}[kind], value)
    elif isinstance(value, str):
        value = value.encode()
    if len(value) % 2:
        value += b"\0" if kind in (b"UI", b"OB") else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind
    if kind in _LONG:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def _sequence(tag: int, *elements: bytes) -> bytes:
    item = b"".join(elements)
    return _element(tag, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)


def write_dicom(
    path: Path, pixels: Pixels, mpp: float, series: str = "1.2.3", level: int = 0
) -> None:
    """Write one level.

    Args:
        path: the file.
        pixels: (height, width, 3) uint8.
        mpp: micrometres per px of this level.
        series: what the levels of one slide share.
        level: 0 for the finest, which is the original.
    """
    height, width = pixels.shape[:2]
    down, across = -(-height // _TILE), -(-width // _TILE)
    frames = b""
    for row in range(down):
        for column in range(across):
            part = pixels[row * _TILE :, column * _TILE :][:_TILE, :_TILE]
            tile = bytearray(_TILE * _TILE * 3)
            for y, line in enumerate(part):
                start = y * _TILE * 3
                tile[start : start + line.size] = line.tobytes()
            frames += bytes(tile)
    uid = f"{series}.{level + 1}"
    meta = _element(0x00020001, b"OB", b"\0\1")
    meta += _element(0x00020002, b"UI", _VL_WHOLE_SLIDE) + _element(0x00020003, b"UI", uid)
    meta += _element(0x00020010, b"UI", _EXPLICIT_LITTLE_ENDIAN) + _element(
        0x00020012, b"UI", "1.2"
    )
    spacing = f"{mpp / 1000:.7f}\\{mpp / 1000:.7f}"
    kind = (
        "ORIGINAL\\PRIMARY\\VOLUME\\NONE" if level == 0 else "DERIVED\\PRIMARY\\VOLUME\\RESAMPLED"
    )
    body = [
        _element(0x00080008, b"CS", kind),
        _element(0x00080016, b"UI", _VL_WHOLE_SLIDE),
        _element(0x00080018, b"UI", uid),
        _element(0x00080060, b"CS", "SM"),
        _element(0x0020000D, b"UI", f"{series}.0"),
        _element(0x0020000E, b"UI", series),
        _element(0x00200013, b"IS", str(level + 1)),
        _element(0x00200052, b"UI", f"{series}.99"),
        _element(0x00209311, b"CS", "TILED_FULL"),
        _element(0x00280002, b"US", 3),
        _element(0x00280004, b"CS", "RGB"),
        _element(0x00280006, b"US", 0),
        _element(0x00280008, b"IS", str(down * across)),
        _element(0x00280010, b"US", _TILE),
        _element(0x00280011, b"US", _TILE),
        _element(0x00280100, b"US", 8),
        _element(0x00280101, b"US", 8),
        _element(0x00280102, b"US", 7),
        _element(0x00280103, b"US", 0),
        _element(0x00480006, b"UL", width),
        _element(0x00480007, b"UL", height),
        _element(0x00480303, b"UL", 1),
        _sequence(0x52009229, _sequence(0x00289110, _element(0x00280030, b"DS", spacing))),
        _element(0x7FE00010, b"OB", frames),
    ]
    length = _element(0x00020000, b"UL", len(meta))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(128) + b"DICM" + length + meta + b"".join(body))
