"""Files that gzip may have packed, unpacked no further than they are read."""

from __future__ import annotations

import zlib
from pathlib import Path

from midog.errors import MidogError
from midog.files import read_bytes

_MAGIC = b"\x1f\x8b"


def read_unpacked(path: Path, kind: type[MidogError] = MidogError, *, limit: int) -> bytes:
    """Read a regular file whole, and unpack it where its first bytes are gzip's, whatever its name.

    Args:
        path: The file.
        kind: The error to raise.
        limit: The most bytes that the file may have, packed and unpacked.

    Raises:
        MidogError: Of that kind: as of `read_bytes`, or it is damaged, cut short, or too large.
    """
    raw = read_bytes(path, kind, limit=limit)
    if not raw.startswith(_MAGIC):
        return raw
    unpacker = zlib.decompressobj(wbits=31)  # with gzip's header and its checksum
    try:
        unpacked = unpacker.decompress(raw, limit)
    except zlib.error as error:
        raise kind(f"{path} is damaged: {error}", "copy it again, or write it anew") from None
    if unpacker.unconsumed_tail:
        raise kind(f"{path} unpacks to over {limit >> 20} MB, which are not read", "split it")
    if not unpacker.eof or unpacker.unused_data:
        what = f"{path} is cut short or goes on after its end"
        raise kind(what, "copy it again, or write it anew")
    return unpacked
