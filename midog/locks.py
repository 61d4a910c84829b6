"""Locks between processes: one writer per folder, freed when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from midog.errors import MidogError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, after waiting until no other process holds it.

    Threads of one process exclude each other as well. Where the file system has no locks, this
    does nothing.

    Args:
        folder: An existing folder.

    Raises:
        OSError: The folder cannot be opened.
    """
    with _opened(folder) as number:
        _lock(number, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_or_refused(folder: Path, kind: type[MidogError] = MidogError) -> Iterator[None]:
    """Hold a folder's lock for as long as a command writes there.

    Args:
        folder: An existing folder; it must not be replaced meanwhile, only what is in it.
        kind: The error to raise.

    Raises:
        MidogError: Of that kind, if another process holds it.
        OSError: The folder cannot be opened.
    """
    with _opened(folder) as number:
        _lock_or_refuse(number, being_written(folder, kind))
        yield


@contextmanager
def held_file(path: Path, refusal: MidogError) -> Iterator[None]:
    """Hold a lock file for as long as a command writes, where the folder's own lock is needed for
    single writes meanwhile.

    Args:
        path: The lock file, made if it is missing, in a folder that exists; it stays.
        refusal: The error to raise, such as `being_written` makes.

    Raises:
        MidogError: That one, if another process holds it.
        OSError: The file cannot be made.
    """
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    try:
        _lock_or_refuse(number, refusal)
        yield
    finally:
        os.close(number)


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock file; the file is not made."""
    try:
        with path.open() as file:
            _lock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none
        return False
    return False


def being_written(what: Path | str, kind: type[MidogError] = MidogError) -> MidogError:
    """Describe that another process writes what this one was to write."""
    return kind(f"another process is writing {what}", "wait until it is done, or choose another")


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    number = os.open(folder, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


def _lock_or_refuse(number: int, refusal: MidogError) -> None:
    try:
        _lock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise refusal from None


def _lock(number: int, how: int) -> None:
    try:
        fcntl.flock(number, how)
    except BlockingIOError:
        raise
    except OSError:  # a network file system without locks
        return
