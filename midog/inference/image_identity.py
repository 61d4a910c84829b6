"""What tells an image's content from that of another, and a file as it was written from others."""

from __future__ import annotations

import hashlib
from pathlib import Path


def identity_of(image: Path) -> str:
    """Return what tells images apart wherever they lie: size and digest of all of their bytes.

    Args:
        image: A file, with the folder of its name for a slide of several files (.mrxs); or the
            folder of a slide.
    """
    files = _files_of(image)
    if files == [image]:
        return f"{image.stat().st_size}-{digest_of_file(image)}"
    digests = "".join(f"{path.relative_to(image.parent)}\0{digest_of_file(path)}" for path in files)
    size = sum(path.stat().st_size for path in files)
    return f"{size}-{hashlib.blake2b(_encoded(digests), digest_size=8).hexdigest()}"


def state_of(image: Path) -> str:
    """Return what stays while nobody writes to an image, found without reading it.

    That is the place, size and times of its files; a user's program cannot set the time of the
    last change.
    """
    states = []
    for path in _files_of(image):
        stat = path.stat()
        times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
        states.append(f"{path.resolve()} {stat.st_size} {times} {stat.st_ino}")
    return hashlib.blake2b(_encoded("\n".join(states)), digest_size=8).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the digest of all bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _files_of(image: Path) -> list[Path]:
    """The files of an image: itself, and those of a slide that has a folder."""
    folder = image.with_suffix("") if image.suffix.lower() == ".mrxs" else image
    inner = folder.rglob("*") if folder.is_dir() else ()
    own = [] if image.is_dir() else [image]
    return own + sorted(path for path in inner if path.is_file())


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
