"""Files, folders and links that are replaced whole or not at all, and JSON without NaN."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from midog.errors import MidogError

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def replacing(
    path: Path,
    kind: type[MidogError] | None = MidogError,
    *,
    durable: bool = False,
    shared: bool = False,
    parents: bool = False,
) -> Iterator[Path]:
    """Yield a path beside `path`; the file written there takes its place when the block ends.

    If the block raises, nothing is left beside the old file, which stays.

    Args:
        path: The file to replace; it need not exist.
        kind: The error that an OSError becomes; None leaves the OSError as it is.
        durable: Flush the file to the disk before it takes its place.
        shared: Other processes or threads may replace the same file meanwhile: the path beside it
            has a unique name. Otherwise it is `.NAME.part`, so that the next write overwrites what
            a killed process left.
        parents: Make missing folders on the way.

    Raises:
        MidogError: Of that kind, if the file cannot be written.
    """
    middle = f".{uuid.uuid4().hex[:12]}" if shared else ""
    part = path.with_name(f".{path.name}{middle}.part")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if durable:
            _flush(part)
        os.replace(part, path)
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
    shared: bool = False,
    parents: bool = False,
) -> None:
    """Replace a file by one of that content; see `replacing`."""
    with replacing(path, kind, shared=shared, parents=parents) as part:
        part.write_bytes(content)


def replace_text(
    path: Path,
    text: str,
    kind: type[MidogError] = MidogError,
    *,
    shared: bool = False,
    parents: bool = False,
) -> None:
    """Replace a file by one of that text, in UTF-8; see `replacing`."""
    replace_bytes(path, text.encode(), kind, shared=shared, parents=parents)


@contextmanager
def replacing_folder(
    folder: Path, kind: type[MidogError] = MidogError, *, durable: bool = False
) -> Iterator[Path]:
    """Yield a new folder beside `folder`, which takes its place when the block ends.

    If the block raises, nothing is left beside the old folder, which stays. Missing folders on the
    way are made.

    Args:
        folder: The folder to replace; it need not exist. Nothing in it is kept.
        kind: The error that an OSError becomes.
        durable: Flush the files to the disk before the folder takes its place.

    Raises:
        MidogError: Of that kind, if the folder cannot be written.
    """
    part, old = (folder.with_name(f".{folder.name}.{end}") for end in ("part", "old"))
    try:
        _tidy(folder, part, old)  # what a killed process left
        part.mkdir(parents=True)
        yield part
        if durable:
            for path in sorted(part.rglob("*")):
                if path.is_file():
                    _flush(path)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error, kind) from None
    finally:
        _tidy(folder, part, old)


def replace_folder(
    folder: Path,
    files: Mapping[str, bytes],
    kind: type[MidogError] = MidogError,
    *,
    durable: bool = False,
) -> None:
    """Replace a folder by one that holds those files alone, by name; see `replacing_folder`."""
    with replacing_folder(folder, kind, durable=durable) as part:
        for name, content in files.items():
            (part / name).write_bytes(content)


def point_link(link: Path, target: Path) -> None:
    """Point a relative symbolic link to a finished file or folder, in one step.

    Args:
        link: The link, made or replaced.
        target: What it points to from now on.

    Raises:
        OSError: If the link cannot be made.
    """
    with replacing(link, None, shared=True) as part:
        part.symlink_to(os.path.relpath(target, link.parent))


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


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold, at any depth.

    Args:
        value: Numbers, texts, None, mappings, lists, tuples, numpy arrays and numbers, tensors.

    Returns:
        The same with None for NaN, and lists for arrays and tuples.
    """
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def to_json(value: Any, *, indent: int | None = 1, ascii_only: bool = True) -> str:
    """Write a value as JSON text without NaN (null) that ends in a line break.

    Args:
        value: Whatever `plain` takes.
        indent: Spaces per level; None: all on one line.
        ascii_only: Escape other letters.

    Raises:
        ValueError: If a number is infinite.
    """
    return json.dumps(plain(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False) + "\n"


def _tidy(folder: Path, part: Path, old: Path) -> None:
    """Delete what is beside a folder, the old one only if a new one has its place."""
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
