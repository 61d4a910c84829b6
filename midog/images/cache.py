"""Arrays made of a file, kept as memory maps in a cache folder: keyed by content, bounded."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from midog.errors import ConfigError
from midog.files import replacing
from midog.images.pixels import Pixels

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

    Two processes that make the same array at once both succeed.

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
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{_content_hash(folder, path)}-{variant}.npy"
    pixels = _reuse(target)
    if pixels is None:
        with replacing(target, None) as part, part.open("wb") as file:
            write(file)
        pixels = _reuse(target)
        _tidy(folder, keep=target)
    if pixels is None:
        raise OSError(f"{target.name} does not stay")
    return pixels


def _reuse(file: Path) -> Pixels | None:
    """The memory map of a cached file, marked as used now; None where it is missing or damaged."""
    try:
        pixels: np.memmap[Any, np.dtype[np.uint8]] = np.load(file, mmap_mode="r")
        if file.stat().st_size != pixels.offset + pixels.nbytes:
            return None
    except (OSError, ValueError, EOFError):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return pixels


def _content_hash(folder: Path, path: Path) -> str:
    """Hash of a file's bytes; a note in the folder spares reading an untouched file again."""
    stat = path.stat()
    state = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
    note = folder / f"{hashlib.blake2b(os.fsencode(state), digest_size=16).hexdigest()}.hash"
    with contextlib.suppress(OSError):
        os.utime(note)
    with contextlib.suppress(OSError):
        return note.read_text()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    with contextlib.suppress(OSError), replacing(note, None) as part:
        part.write_text(digest)
    return digest


def _tidy(folder: Path, keep: Path) -> None:
    """Delete the files used least recently beyond the bound, and leftovers of killed processes."""
    files = []
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process tidies as well
            stat = file.stat()
            if file.suffix in (".npy", ".hash"):
                files.append((stat.st_mtime_ns, file, stat.st_size))
            elif file.suffix == ".part" and time.time() - stat.st_mtime > _STALE_S:
                file.unlink()
    excess = sum(size for _, _, size in files) - _cache_limit()
    for _, file, size in sorted(files):
        if excess > 0 and file != keep:
            file.unlink(missing_ok=True)
            excess -= size


def _cache_limit() -> float:
    """Bytes."""
    text = os.environ.get("MIDOG_CACHE_GB", "64")
    try:
        return float(text) * 2**30
    except ValueError:
        raise ConfigError(f"MIDOG_CACHE_GB is {text!r}", "write a number of GiB") from None
