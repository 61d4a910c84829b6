"""A published file and its place here: its bytes so far, its checksum, and the room it needs."""

from __future__ import annotations

import errno
import hashlib
import itertools
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from midog.errors import DownloadError
from midog.files import check_regular, flush_folder

logger = logging.getLogger(__name__)

RESUME = "run the same command again: it resumes"
"""What to do about a download that was interrupted."""

LARGEST = 8 << 30
"""Bytes that a file whose size is not published may have; the largest published one has 0.2 GB."""

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
    keeps_old: whether what has its place is the user's own, and kept beside it.
    """

    name: str
    path: Path
    urls: tuple[str, ...]
    size: int | None = None
    md5: str | None = None
    keeps_old: bool = False

    @property
    def most(self) -> int:
        """Bytes that it may have."""
        return LARGEST if self.size is None else self.size


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


def open_part(part: Path, *, append: bool) -> BinaryIO:
    """Open a part file for writing; a link, device or pipe in its place is refused.

    Raises:
        OSError: where it cannot be opened.
    """
    check_regular(part)
    how = os.O_APPEND if append else os.O_TRUNC
    return open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, 0o666), "ab")


def put_in_place(file: RemoteFile) -> None:
    """Rename a whole part file to its place, once it is on the disk.

    Raises:
        OSError: where it cannot be.
    """
    part = part_of(file.path)
    check_regular(file.path)
    if file.keeps_old and file.path.exists():
        keep_aside(file.path)
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    os.replace(part, file.path)
    flush_folder(part.parent)


def keep_aside(path: Path) -> None:
    """Rename a file of the user's own, whose place is needed, to NAME.own.

    Raises:
        OSError: where it cannot be.
    """
    own = _free_name(path)
    os.rename(path, own)
    logger.warning("%s is not as published: it is kept as %s", path, own.name)


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.own{number or ''}") for number in itertools.count())
    return next(name for name in names if not os.path.lexists(name))


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
    check_space(
        folder, sum(max(0, (file.size or 0) - size_of(part_of(file.path))) for file in files)
    )


def check_space(folder: Path, need: int) -> None:
    """Check that a disk has room for so many bytes.

    Raises:
        DownloadError: where it has not.
    """
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
