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
        try:
            _lock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise kind(
                f"another process is writing {folder}", "wait until it is done, or choose another"
            ) from None
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    number = os.open(folder, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


def _lock(number: int, how: int) -> None:
    try:
        fcntl.flock(number, how)
    except BlockingIOError:
        raise
    except OSError:  # a network file system without locks
        return
