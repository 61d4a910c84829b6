"""Files, folders and links that are replaced whole or not at all, also by a power cut."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from midog.errors import MidogError
from midog.locks import locked

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
_STALE_S = 3600.0  # what is half-written and untouched for this long is a killed process's
_LEFT_OVER = re.compile(r"\..*\.[0-9a-f]{32}\.part")
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_READ_LIMIT = 1 << 30


@contextmanager
def replacing(
    path: Path, kind: type[MidogError] | None = MidogError, *, parents: bool = False
) -> Iterator[Path]:
    """Yield an empty file beside `path`, which takes its place when the block ends.

    Its name is not predictable, so that processes and threads may replace one file at once. It
    takes its place when its bytes are on the disk, and the folder is written to the disk after
    that: after a power cut there is the old file or the new one, whole. If the block raises,
    nothing is left beside the old file, which stays.

    Args:
        path: The file to replace; it need not exist. What exists there must be a regular file: no
            link is followed, no device written to.
        kind: The error that an OSError becomes; None leaves the OSError as it is.
        parents: Make missing folders on the way.

    Raises:
        MidogError: Of that kind, if the file cannot be written.
    """
    part = _beside(path, "part")
    try:
        if parents:
            make_folder(path.parent)
        check_regular(path)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield part
        _flush(part)
        os.replace(part, path)
        flush_folder(path.parent)
    except OSError as error:
        if kind is None:
            raise
        raise cannot_write(path, error, kind) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def replace_bytes(
    path: Path,
    content: bytes,
    kind: type[MidogError] = MidogError,
    *,
    parents: bool = False,
) -> None:
    """Replace a file by one of that content; see `replacing`."""
    with replacing(path, kind, parents=parents) as part:
        part.write_bytes(content)


def replace_text(
    path: Path, text: str, kind: type[MidogError] = MidogError, *, parents: bool = False
) -> None:
    """Replace a file by one of that text, in UTF-8; see `replacing`."""
    replace_bytes(path, text.encode(), kind, parents=parents)


@contextmanager
def replacing_folder(folder: Path, kind: type[MidogError] = MidogError) -> Iterator[Path]:
    """Yield a new folder beside `folder`, which takes its place when the block ends.

    All that it holds is on the disk before that. If the block raises, nothing is left beside the
    old folder, which stays. Missing folders on the way are made.

    Args:
        folder: The folder to replace; it need not exist. Nothing in it is kept.
        kind: The error that an OSError becomes.

    Raises:
        MidogError: Of that kind, if the folder cannot be written.
    """
    part = _beside(folder, "part")
    try:
        make_folder(folder.parent)
        with locked(folder.parent):
            _bring_back(folder)
        part.mkdir()
        yield part
        for path in part.rglob("*"):
            (flush_folder if path.is_dir() else _flush)(path)
        flush_folder(part)
        with locked(folder.parent):
            _swap(folder, part)
    except OSError as error:
        raise cannot_write(folder, error, kind) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_folder(
    folder: Path, files: Mapping[str, bytes], kind: type[MidogError] = MidogError
) -> None:
    """Replace a folder by one that holds those files alone, by name; see `replacing_folder`."""
    with replacing_folder(folder, kind) as part:
        for name, content in files.items():
            (part / name).write_bytes(content)


def point_link(link: Path, target: Path) -> None:
    """Point a relative symbolic link to a finished file or folder, in one step.

    Args:
        link: The link, made or replaced.
        target: What it points to from now on.

    Raises:
        OSError: If the link cannot be made, or what has its place is no link.
    """
    if link.exists() and not link.is_symlink():
        raise OSError(errno.EEXIST, "it exists and is no link", str(link))
    part = _beside(link, "part")
    try:
        part.symlink_to(os.path.relpath(target, link.parent))
        os.replace(part, link)
        flush_folder(link.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and what is missing on the way to it, and write the entries to the disk.

    Raises:
        OSError: If it cannot be made.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        flush_folder(made.parent)


def check_regular(path: Path) -> None:
    """Check that what is at a place, if anything, is a regular file; no link is followed.

    Raises:
        OSError: It is a folder, a link, a pipe or a device.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise OSError(errno.EINVAL, f"it is {what}, not a regular file", str(path))


def read_bytes(
    path: Path, kind: type[MidogError] = MidogError, *, limit: int = _READ_LIMIT
) -> bytes:
    """Read a regular file whole; a pipe or a device is refused before it can block.

    Args:
        path: The file; links are followed.
        kind: The error to raise.
        limit: The most bytes that the file may have.

    Raises:
        MidogError: Of that kind: it does not exist, cannot be read, is no regular file, or is
            larger than the limit.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                what = _KINDS.get(stat.S_IFMT(state.st_mode), "no file")
                raise kind(f"{path} is {what}, not a regular file", "give a file")
            if state.st_size > limit:
                size = f"{state.st_size:,} bytes; at most {limit:,} are read"
                raise kind(f"{path} has {size}", "give a smaller file")
            return file.read(limit)
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise kind(f"{path} cannot be read: {reason}") from None


def sweep_parts(folder: Path, *, alone: bool = False) -> None:
    """Delete the half-written files and folders that killed processes left in a folder.

    Args:
        folder: The folder; it need not exist.
        alone: No other process writes there. Otherwise what was touched in the last hour may
            belong to a process at work, and stays.
    """
    stale_s = -math.inf if alone else _STALE_S
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                if _LEFT_OVER.fullmatch(path.name) and _age_s(path) > stale_s:
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()


def cannot_write(path: Path, error: OSError, kind: type[MidogError] = MidogError) -> MidogError:
    """Describe why a file or folder cannot be written, and what to do about it.

    Args:
        path: The file or folder.
        error: What the system reported.
        kind: The kind of error to return.
    """
    if error.errno in _FULL:
        return kind(f"{path} cannot be written: the disk is full", "make room and start again")
    return kind(f"{path} cannot be written: {error.strerror or error}", "choose another place")


def _beside(path: Path, end: str) -> Path:
    """A place beside a file or folder that nobody can guess; short, whatever the name's length."""
    return path.with_name(f".{path.name[:30]}.{uuid.uuid4().hex}.{end}")


def _bring_back(folder: Path) -> None:
    """Move the old folder back to its place where a process was killed between two renames."""
    if not folder.exists():
        for old in _old_folders(folder):
            old.rename(folder)
            return


def _swap(folder: Path, part: Path) -> None:
    """Put a finished folder in the place of the old one, which is deleted."""
    _bring_back(folder)
    if folder.exists():
        folder.rename(_beside(folder, "old"))
    try:
        part.rename(folder)
    except OSError:
        _bring_back(folder)
        raise
    flush_folder(folder.parent)
    for old in _old_folders(folder):
        shutil.rmtree(old, ignore_errors=True)


def _old_folders(folder: Path) -> list[Path]:
    pattern = re.compile(rf"\.{re.escape(folder.name[:30])}\.[0-9a-f]{{32}}\.old")
    return [path for path in folder.parent.iterdir() if pattern.fullmatch(path.name)]


def _age_s(path: Path) -> float:
    """Seconds since anything in a file or folder was written."""
    paths = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return time.time() - max(inner.lstat().st_mtime for inner in paths)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Write a folder's entries to the disk; some network file systems neither can nor need it."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it may be written to, and not be listed
        return
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(number)
