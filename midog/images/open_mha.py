"""MetaImage (.mha): a header of text, then pixels of one or more pictures, plain or deflated."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from midog.errors import ImageError
from midog.images.opened_file import (
    OpenedFile,
    decoded_whole,
    in_memory,
    on_white,
    one_kind_of_error,
)
from midog.images.pixels import Pixels
from midog.images.tiff_bounds import check_size
from midog.mpp import StatedMpp, as_statement, settle

_MOST_HEADER = 1 << 16  # bytes; a header has some 20 lines
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_LAST = "ElementDataFile"  # the key after whose line the pixels begin
_COPY = "copy or download it again"
_UM_PER_MM = 1000.0


@dataclass(frozen=True)
class _Header:
    """What is read of a header. size: (width, height) of a plane. begin: byte at which the pixels
    begin."""

    size: tuple[int, int]
    planes: int
    channels: int
    spacing_mm: tuple[float, float]
    is_deflated: bool
    begin: int

    @property
    def bytes(self) -> int:
        """Of all pixels."""
        return self.size[0] * self.size[1] * self.planes * self.channels


def is_mha(path: Path, head: bytes) -> bool:
    """Whether a file is MetaImage, by the first bytes of those that ITK writes or by its ending."""
    return head.startswith((b"ObjectType", b"NDims")) or path.suffix.lower() == ".mha"


def open_mha(path: Path) -> OpenedFile:
    """Open a MetaImage of one picture with the pixels in the same file, as ITK writes it.

    The spacing of a px is in mm, as ITK and the MIDOG challenge have it. Keys are those of
    https://itk.org/Wiki/ITK/MetaIO/Documentation.

    Raises:
        ImageError: The header is damaged, the file is cut short, or it holds other than one 8-bit
            grey, RGB or RGBA picture.
    """
    header = _read_header(path)
    if header.planes != 1:
        many = " x ".join(map(str, (*header.size, header.planes)))
        raise ImageError(f"{path} holds {many} px", "save one plane of it as TIFF")
    check_size(path, *header.size, path.stat().st_size)
    return decoded_whole(header.size, _mpp_of(path, header), lambda: _decode(path, header)[0])


def planes_of_mha(path: Path) -> list[OpenedFile]:
    """Decode the planes of a MetaImage, in their order; errors as of `open_mha`.

    A picture is one plane.
    """
    header = _read_header(path)
    width, height = header.size
    check_size(path, width, height * header.planes, path.stat().st_size)
    mpp = _mpp_of(path, header)
    return [in_memory(plane, mpp) for plane in _decode(path, header)]


def _mpp_of(path: Path, header: _Header) -> StatedMpp:
    sides = (side * _UM_PER_MM for side in header.spacing_mm)
    return settle(str(path), [as_statement("MetaImage spacing", *sides)])


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        text = file.read(_MOST_HEADER)
    values: dict[str, str] = {}
    begin = 0
    while _LAST not in values:
        end = text.find(b"\n", begin)
        if end < 0:
            raise ImageError(f"{path} is no MetaImage: its header has no {_LAST}", _COPY)
        key, equals, value = text[begin:end].decode("latin-1").partition("=")
        if not equals:
            raise ImageError(f"{path} is no MetaImage: a line of its header has no '='", _COPY)
        values[key.strip()] = value.strip()
        begin = end + 1
    _require_read(path, values)
    sides = _numbers(path, values, "DimSize")
    if len(sides) not in (2, 3):
        many = " x ".join(f"{side:g}" for side in sides)
        raise ImageError(f"{path} holds {many or 'no'} px", "save one plane of it as TIFF")
    if any(side < 1 or side != int(side) for side in sides):
        raise ImageError(f"{path} states a size of {values['DimSize'][:40]}", _COPY)
    key = "ElementSpacing" if "ElementSpacing" in values else "ElementSize"
    spacing = [*(_numbers(path, values, key) if key in values else ()), math.nan, math.nan]
    return _Header(
        (int(sides[0]), int(sides[1])),
        int(sides[2]) if len(sides) > 2 else 1,
        int(values.get("ElementNumberOfChannels", "1")),
        (spacing[0], spacing[1]),
        _is_true(values.get("CompressedData", "False")),
        begin,
    )


def _require_read(path: Path, values: dict[str, str]) -> None:
    """Check that the pixels are 8-bit grey, RGB or RGBA and follow the header."""
    if values[_LAST] != "LOCAL":
        raise ImageError(
            f"{path} is a header whose pixels lie in {values[_LAST][:80]!r}",
            "save it as .mha, in one file",
        )
    kind = values.get("ElementType", "none")
    channels = values.get("ElementNumberOfChannels", "1")
    if kind != "MET_UCHAR" or channels not in map(str, _MODES):
        what = f"{channels[:8]} channels of {kind[:20]}"
        raise ImageError(f"{path} has {what}", "convert it to 8-bit RGB")
    if not _is_true(values.get("BinaryData", "True")) or values.get("HeaderSize", "0") not in (
        "0",
        "-1",
    ):
        raise ImageError(f"{path} is MetaImage as text or with a gap", "save it anew as .mha")


def _numbers(path: Path, values: dict[str, str], key: str) -> list[float]:
    try:
        return [float(word) for word in values.get(key, "").split()]
    except ValueError:
        raise ImageError(f"{path} states {key} as {values[key][:40]!r}", _COPY) from None


def _is_true(value: str) -> bool:
    return value.lower() in ("true", "1")


def _decode(path: Path, header: _Header) -> list[Pixels]:
    """The planes, (height, width, 3) each."""
    with one_kind_of_error(path), path.open("rb") as file:
        file.seek(header.begin)
        if header.is_deflated:
            stream = zlib.decompressobj()
            # one byte more, so that the checksum behind the pixels is read and compared
            pixels = stream.decompress(file.read(), header.bytes + 1)
            is_whole = stream.eof and len(pixels) == header.bytes
        else:
            pixels = file.read(header.bytes)
            is_whole = len(pixels) == header.bytes
        if not is_whole:
            raise ImageError(f"{path} is cut short, or longer than its header states", _COPY)
        width, height = header.size
        planes = np.frombuffer(pixels, np.uint8)
        planes = planes.reshape(header.planes, height, width, header.channels)
        mode = _MODES[header.channels]
        if mode == "RGB":
            return list(planes)
        pictures = (Image.frombytes(mode, header.size, plane.tobytes()) for plane in planes)
        return [on_white(picture.convert("RGBA")) for picture in pictures]
