"""One file over HTTP: resumed where it broke off, checked, and renamed into place when whole."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from midog.data.download.answers import (
    BUSY,
    Answer,
    Broken,
    Refused,
    chunks_of,
    extent_of,
    length_of,
    open_url,
)
from midog.data.download.remote_file import (
    RESUME,
    FileError,
    Received,
    RemoteFile,
    check_space,
    disk_errors,
    md5_in,
    md5_of,
    open_part,
    part_of,
    put_in_place,
    size_of,
)
from midog.errors import DownloadError
from midog.json_text import parse_json

logger = logging.getLogger(__name__)

_LARGEST_ANSWER = 64 << 20
"""Bytes of an API's answer at most."""
_MOST_TRIES = 1000

T = TypeVar("T")


def fetch_file(
    file: RemoteFile,
    *,
    retries: int = 5,
    sleep: Callable[[float], None] = time.sleep,
    on_bytes: Callable[[int, int], None] = lambda here, total: None,
) -> Received:
    """Fetch a file into its place; bytes of an earlier try in its part file are not fetched again.

    Args:
        file: what to fetch.
        retries: how many times in a row it may fail without a byte gained.
        sleep: waits that many seconds between tries.
        on_bytes: called often, with the bytes that are here and the bytes in all (0: unknown).

    Raises:
        FileError: where no URL serves the file, or its md5 is not the published one, twice.
        DownloadError: where the network fails for good or the disk is full. The part file stays,
            except where its md5 is wrong.
    """
    part = part_of(file.path)
    with disk_errors(part.parent):
        part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in (1, 2):
        stated = _persist(
            lambda: _fetch_rest(file, part, on_bytes),
            file.name,
            retries,
            sleep,
            here=lambda: size_of(part),
        )
        with disk_errors(part):
            md5 = md5_of(part)
            if md5 == (file.md5 or md5):
                size = size_of(part)
                put_in_place(file)
                return Received(size, md5, verified=file.md5 is not None or md5 == stated)
            part.unlink()
        logger.warning(
            "%s: wrong checksum in try %d, md5 %s where %s is published",
            file.name,
            attempt,
            md5,
            file.md5,
        )
    raise FileError(f"{file.name}: its md5 is {md5} where {file.md5} is published, twice in a row")


def fetch_json(url: str, *, retries: int = 5, sleep: Callable[[float], None] = time.sleep) -> Any:
    """Fetch what an archive's API answers, parsed.

    Args:
        url: the request.
        retries: how many times it may fail.
        sleep: waits that many seconds between tries.

    Raises:
        DownloadError: where there is no answer, or it is not JSON.
    """

    def step() -> bytes:
        # figshare's API answers 403 to those who ask too often
        with open_url(url, busy=BUSY | {403}) as response:
            body = b""
            for chunk in chunks_of(response):
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise Refused(f"answers with more than {_LARGEST_ANSWER:,} bytes")
            if len(body) != length_of(response, len(body)):
                raise Broken(f"broke off after {len(body)} bytes")
            return body

    try:
        answer = _persist(step, url, retries, sleep, here=lambda: 0)
    except Refused as refusal:
        raise DownloadError(f"{url}: {refusal}") from None
    return parse_json(answer, f"{url}: the answer", DownloadError)


def _persist(
    step: Callable[[], T],
    name: str,
    retries: int,
    sleep: Callable[[float], None],
    here: Callable[[], int],
) -> T:
    """What `step` returns, repeated while it breaks; only tries that gain no bytes `here` count."""
    furthest, failures = -1, 0
    for tries in itertools.count(1):
        try:
            return step()
        except Broken as fault:
            failures = failures + 1 if here() <= furthest else 1
            furthest = max(furthest, here())
            if failures > retries or tries >= _MOST_TRIES:
                count = tries if tries >= _MOST_TRIES else failures
                raise DownloadError(f"{name}: {fault} (tried {count} times)", RESUME) from None
            usual_s = min(60.0, 2.0 ** (failures - 1))
            wait_s = usual_s if fault.wait_s is None else fault.wait_s
            logger.info("%s: %s; trying again in %.0f s", name, fault, wait_s)
            sleep(wait_s)
    raise AssertionError("the loop has no end")


def _fetch_rest(file: RemoteFile, part: Path, on_bytes: Callable[[int, int], None]) -> str | None:
    """Append what is missing of `part`, from the first URL that serves it.

    Returns the md5 that the server states.
    """
    if file.size is not None and part.exists() and size_of(part) == file.size:
        on_bytes(file.size, file.size)
        return None
    reasons = []
    for url in file.urls:
        try:
            return _stream(url, file, part, on_bytes)
        except Refused as refusal:
            reasons.append(f"{urlsplit(url).netloc} {refusal}")
    raise FileError(f"{file.name}: " + ", ".join(dict.fromkeys(reasons)))


def _stream(
    url: str, file: RemoteFile, part: Path, on_bytes: Callable[[int, int], None]
) -> str | None:
    """Append what one URL serves beyond `part`; the md5 that the server states."""
    offset = size_of(part)
    if offset > file.most:
        offset = 0
    with open_url(url, offset) as response:
        if response.status == 416:  # nothing beyond `offset`
            if _is_all(response, offset) and file.size is None:
                return None
            part.unlink()
            raise Broken(f"the server has nothing after byte {offset}", wait_s=0)
        start, total = extent_of(response, offset)
        if file.size is not None and total not in (None, file.size):
            raise Refused(f"serves {total} bytes where {file.size} are published")
        if total is not None and total > file.most:
            raise Refused(f"serves {total:,} bytes; a file has at most {file.most:,}")
        total = file.size if total is None else total
        with disk_errors(part, None if total is None else total - start):
            check_space(part.parent, 0 if total is None else total - start)
            with open_part(part, append=bool(start)) as handle:
                here = _write(response, handle, start, file.most, total, on_bytes)
        if total is not None and here != total:
            raise Broken(f"broke off at {here} of {total} bytes")
        return md5_in(response.headers.get("ETag", ""))


def _write(
    response: Answer,
    handle: BinaryIO,
    here: int,
    most: int,
    total: int | None,
    on_bytes: Callable[[int, int], None],
) -> int:
    """Write what a server sends after byte `here`, up to `most` bytes in all; how far it came."""
    most = most if total is None else total
    for chunk in chunks_of(response):
        if here + len(chunk) > most:
            handle.truncate(0)  # it is not the file, as it seems
            raise Refused(f"serves more than the {most:,} bytes that it may have")
        handle.write(chunk)
        here += len(chunk)
        on_bytes(here, total or 0)
    return here


def _is_all(response: Answer, offset: int) -> bool:
    """Whether the server states that the file ends at `offset`."""
    return bool(offset) and response.headers.get("Content-Range") == f"bytes */{offset}"
