"""A published file and its place here: its bytes so far, its checksum, and the room it needs."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from midog.errors import DownloadError

RESUME = "run the same command again: it resumes"
"""What to do about a download that was interrupted."""

_MD5 = re.compile(r"[0-9a-f]{32}")


class FileError(DownloadError):
    """This one file is not served as it is published; others may be."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file and its place here.

    name: as the archive names it, for errors and progress.
    path: its place; until it is whole, its bytes are in `part_of(path)`.
    urls: where its bytes are served, tried in this order.
    size, md5: bytes and hexadecimal digest as published, None where unknown.
    """

    name: str
    path: Path
    urls: tuple[str, ...]
    size: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Received:
    """A file in its place. verified: its md5 is the published one, or the one the server stated."""

    size: int
    md5: str
    verified: bool


def part_of(path: Path) -> Path:
    """Where the bytes of an unfinished file are: NAME.part beside its place."""
    return path.with_name(path.name + ".part")


def size_of(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def md5_of(path: Path) -> str:
    """Hexadecimal md5 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()


def md5_in(text: str) -> str | None:
    """The md5 in a published checksum or an ETag: bare, quoted, or after `md5:`; else None."""
    match = _MD5.fullmatch(text.strip('"').removeprefix("md5:").lower())
    return match[0] if match else None


def human_bytes(count: int) -> str:
    """`count` bytes in decimal units, as disks and archives count: 22.3 GB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def check_room(folder: Path, files: Iterable[RemoteFile]) -> None:
    """Check that a disk has room for what is missing of files whose size is published.

    Raises:
        DownloadError: where it has not.
    """
    need = sum(max(0, (file.size or 0) - size_of(part_of(file.path))) for file in files)
    free = shutil.disk_usage(folder).free
    if need > free:
        what = f"{folder} has {human_bytes(free)} free and {human_bytes(need)} are needed"
        raise DownloadError(what, "make room, or give a folder on another disk")


@contextmanager
def disk_errors(path: Path, missing: int | None = None) -> Iterator[None]:
    """Turn an OSError of this disk into a DownloadError.

    Args:
        path: what is being written.
        missing: bytes that are still to be written, None where unknown.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"{path} cannot be written: {error.strerror or error}") from None
        need = f"{human_bytes(missing)} more are needed and " if missing is not None else ""
        free = human_bytes(shutil.disk_usage(path.parent).free)
        raise DownloadError(
            f"the disk is full at {path}: {need}{free} are free", f"make room and {RESUME}"
        ) from None
