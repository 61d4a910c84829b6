"""Files that an archive ships packed by gzip, unpacked beside them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from midog.data.download.manifest import Checksum, Manifest
from midog.data.download.remote_file import (
    LARGEST,
    FileError,
    RemoteFile,
    disk_errors,
    keep_aside,
    size_of,
)
from midog.files import replacing

_SUFFIX = ".gz"
_CHUNK = 1 << 20


def unpacked_place(packed: Path) -> Path | None:
    """Return where the content of a packed file goes: its name without .gz; None: it is none."""
    return packed.with_suffix("") if packed.suffix == _SUFFIX else None


def is_unpacked(file: RemoteFile, manifest: Manifest) -> bool:
    """Return whether what a packed file holds is here, unpacked from the published bytes."""
    place = unpacked_place(file.path)
    packed = manifest.done.get(file.name)
    if place is None or packed is None or file.md5 not in (None, packed.md5):
        return False
    content = manifest.done.get(place.name)
    return content is not None and place.is_file() and size_of(place) == content.size


def settle(file: RemoteFile, manifest: Manifest, on_bytes: Callable[[int, int], None]) -> None:
    """Unpack a file that came, if it is packed, note that, and remove the packed bytes.

    Killed at any point, it is done again, or only what is left of it.

    Args:
        file: In its place.
        manifest: Of the folder; it is saved.
        on_bytes: Called with the packed bytes that are unpacked, and those in all.

    Raises:
        FileError: It is damaged, or too large; it is removed.
        DownloadError: The disk is full.
    """
    place = unpacked_place(file.path)
    if place is None or is_unpacked(file, manifest):
        return
    if place.exists() and place.name not in manifest.done:
        with disk_errors(place):
            keep_aside(place)
    manifest.done[place.name] = _unpack(file, place, on_bytes)
    manifest.save()
    with disk_errors(file.path):
        file.path.unlink()


def _unpack(file: RemoteFile, place: Path, on_bytes: Callable[[int, int], None]) -> Checksum:
    packed, total, here = file.path, size_of(file.path), 0
    with disk_errors(place), replacing(place, None) as part:
        try:
            with (
                packed.open("rb") as raw,
                gzip.GzipFile(fileobj=raw, mode="rb") as content,
                part.open("wb") as out,
            ):
                while chunk := content.read(_CHUNK):
                    here += len(chunk)
                    if here > LARGEST:
                        raise zlib.error(f"it holds more than {LARGEST:,} bytes")
                    out.write(chunk)
                    on_bytes(raw.tell(), total)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            packed.unlink()
            raise FileError(f"{file.name} cannot be unpacked: {error}") from None
    return Checksum(here)
