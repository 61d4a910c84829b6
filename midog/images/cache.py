"""Arrays made of a file, kept as memory maps in a cache folder: keyed by content, bounded."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from midog.errors import ConfigError, MidogError
from midog.files import check_regular, make_folder, read_bytes, replacing
from midog.images.pixels import Pixels

logger = logging.getLogger(__name__)

_MAGIC = b"midogcrc"
_SEAL = struct.Struct("<8sQI")
"""Behind the array: a mark, the length of what precedes, its CRC-32."""

_CHUNK = 2**24  # bytes read at a time
_NOTE_BYTES = 200
_STALE_S = 86400.0  # a half-written file untouched for this long is a killed process's


def default_cache_dir() -> Path:
    """$MIDOG_CACHE, else `midog` in the platform's folder for a user's caches."""
    if folder := os.environ.get("MIDOG_CACHE"):
        return Path(folder).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "midog"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midog"


def cached_array(
    folder: Path, path: Path, variant: str, write: Callable[[BinaryIO], None]
) -> Pixels:
    """An array made of a file, once for all files of equal bytes.

    Of two processes that want the same array at once, one makes it and the other waits. A file
    holds a checksum, which is verified when a process opens it for the first time (2.4 GB/s): one
    that is damaged is made anew, with a warning.

    Args:
        folder: the cache folder, made where missing.
        path: the file that the array is made of.
        variant: names what else the array depends on, in letters that a file's name may have.
        write: writes the array as a .npy file.

    Returns:
        A read-only memory map.

    Raises:
        OSError: where the folder cannot be used.
        ConfigError: where $MIDOG_CACHE_GB is not a number.
    """
    limit = _cache_limit()
    make_folder(folder)
    target = folder / f"{_content_hash(folder, path)}-{variant}.npy"
    pixels = _reuse(target)
    if pixels is None:
        with _alone(target.with_suffix(".lock")):
            pixels = _reuse(target)  # another process made it meanwhile
            if pixels is None:
                with replacing(target, None) as part, part.open("wb") as file:
                    _write_checked(file, write)
                _checked.add(_identity(target))
                pixels = _reuse(target)
        _tidy(folder, limit, keep=target)
    if pixels is None:
        raise OSError(f"{target.name} does not stay")
    return pixels


class _Summed:
    """What is written to a file, with its length and checksum so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.length = self.checksum = 0

    def write(self, data: bytes | memoryview) -> int:
        self.length += memoryview(data).nbytes
        self.checksum = zlib.crc32(data, self.checksum)
        return self._file.write(data)


def _write_checked(file: BinaryIO, write: Callable[[BinaryIO], None]) -> None:
    """Write a .npy file, and its length and checksum behind it."""
    summed = _Summed(file)
    write(cast(BinaryIO, summed))
    file.write(_SEAL.pack(_MAGIC, summed.length, summed.checksum))


_checked: set[tuple[str, int, int]] = set()
"""Cached files whose checksum this process has verified, or made."""


def _identity(file: Path) -> tuple[str, int, int]:
    stat = file.stat()
    return str(file), stat.st_ino, stat.st_size


def _reuse(file: Path) -> Pixels | None:
    """The memory map of a cached file, marked as used now; None where it is missing or damaged."""
    try:
        check_regular(file)
        identity = _identity(file)
        length = identity[2] - _SEAL.size
        if identity not in _checked and not _is_whole(file, length):
            logger.warning("%s is damaged: it is made anew", file)
            return None
        pixels: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(file, mode="r")
        if length != pixels.offset + pixels.nbytes:
            return None
    except (OSError, ValueError, EOFError):
        return None
    _checked.add(identity)
    with contextlib.suppress(OSError):
        os.utime(file)
    return pixels


def _is_whole(file: Path, length: int) -> bool:
    """Whether a file is of that length without its seal, and of the checksum that this states."""
    with file.open("rb") as content:
        content.seek(max(0, length))
        seal = content.read(_SEAL.size)
        if len(seal) < _SEAL.size:
            return False
        content.seek(0)
        checksum, left = 0, length
        while left > 0 and (chunk := content.read(min(left, _CHUNK))):
            checksum = zlib.crc32(chunk, checksum)
            left -= len(chunk)
    return _SEAL.unpack(seal) == (_MAGIC, length, checksum)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Make other processes that want to make the same wait; without locks, let them make it too."""
    flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        number = os.open(lock, flags, 0o666)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):  # the one before deleted it
                if os.path.samestat(os.fstat(number), lock.stat()):
                    yield
                    return
        finally:
            lock.unlink(missing_ok=True)
            os.close(number)


def _content_hash(folder: Path, path: Path) -> str:
    """Hash of a file's bytes; a note in the folder spares reading an untouched file again."""
    stat = path.stat()
    state = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)
    name = _hash(os.fsencode(f"{path.resolve()} {state}"))
    note = folder / f"{name}.hash"
    with contextlib.suppress(OSError):
        os.utime(note)
    with contextlib.suppress(MidogError):
        digest, _, seal = read_bytes(note, limit=_NOTE_BYTES).decode("latin-1").partition(" ")
        if seal == _hash(f"{name} {digest}".encode()):
            return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    with contextlib.suppress(OSError), replacing(note, None) as part:
        part.write_text(f"{digest} {_hash(f'{name} {digest}'.encode())}")
    return digest


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _tidy(folder: Path, limit: float, keep: Path) -> None:
    """Delete the files used least recently beyond the bound, and leftovers of killed processes."""
    files = []
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process tidies as well
            stat = file.stat()
            if file.suffix in (".npy", ".hash"):
                files.append((stat.st_mtime_ns, file, stat.st_size))
            elif file.suffix in (".part", ".lock") and time.time() - stat.st_mtime > _STALE_S:
                file.unlink()
    excess = sum(size for _, _, size in files) - limit
    for _, file, size in sorted(files):
        if excess > 0 and file != keep:
            file.unlink(missing_ok=True)
            excess -= size


def _cache_limit() -> float:
    """Bytes."""
    text = os.environ.get("MIDOG_CACHE_GB", "64")
    with contextlib.suppress(ValueError):
        if float(text) >= 0:
            return float(text) * 2**30
    raise ConfigError(f"MIDOG_CACHE_GB is {text!r}", "write a number of GiB")
