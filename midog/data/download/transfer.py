"""One file over HTTP: resumed where it broke off, checked, and renamed into its place when it is
whole."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from midog import __version__
from midog.errors import DownloadError

logger = logging.getLogger(__name__)

GO_ON = "run the same command again: it goes on where it was"
_USER_AGENT = f"midog/{__version__}"  # archives slow down clients that do not say who they are
_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 600.0
_CHUNK = 1 << 18
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_MD5 = re.compile(r"[0-9a-f]{32}")

T = TypeVar("T")


class FileError(DownloadError):
    """This one file cannot be had as it is published; others may."""


class _Broken(Exception):
    """The network or the server failed for now; `wait_s` is what the server asks for, None where it
    asks nothing."""

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class _Refused(Exception):
    """This URL does not serve the file; trying it again would not help."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file and its place here.

    name: as the archive names it; what errors and progress call it.
    path: where it goes; until it is whole, its bytes are in `part_of(path)`.
    urls: where its bytes are served, tried in this order.
    size, md5: bytes and hexadecimal digest as published, None where that is not known.
    """

    name: str
    path: Path
    urls: tuple[str, ...]
    size: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Received:
    """A file as it now lies in its place. verified: its md5 is the published one, or the one the
    server stated."""

    size: int
    md5: str
    verified: bool


def part_of(path: Path) -> Path:
    """Where the bytes of an unfinished file lie: NAME.part beside its place."""
    return path.with_name(path.name + ".part")


def size_of(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def md5_of(path: Path) -> str:
    """Hexadecimal md5 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()


def md5_in(text: str) -> str | None:
    """The md5 in a published checksum or an ETag: bare, quoted, or after `md5:`; None where it is
    of another kind."""
    found = _MD5.fullmatch(text.strip('"').removeprefix("md5:").lower())
    return found[0] if found else None


def human_bytes(count: int) -> str:
    """`count` bytes in decimal units, as disks and archives count: 22.3 GB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def fetch_file(
    file: RemoteFile,
    *,
    retries: int = 5,
    sleep: Callable[[float], None] = time.sleep,
    on_bytes: Callable[[int, int], None] = lambda here, total: None,
) -> Received:
    """Fetch `file` into its place; bytes of an earlier try that are in its part file are not
    fetched again.

    retries: how many times in a row it may fail without a byte gained.
    sleep: waits that many seconds between tries.
    on_bytes: told the bytes that are here and the bytes in all (0: not known), often.
    Raises FileError where no URL serves the file or its md5 is not the published one, twice;
    DownloadError where the network fails for good or the disk is full. The part file stays, except
    where its md5 is wrong.
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
                os.replace(part, file.path)
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
    """What the archive's API answers, parsed. Raises DownloadError where there is no answer, or no
    JSON."""

    def step() -> bytes:
        # figshare's API says 403 to those who ask too often
        with _open(url, busy=_BUSY | {403}) as response:
            body = b"".join(_chunks(response))
            if len(body) != int(response.headers.get("Content-Length", len(body))):
                raise _Broken(f"broke off after {len(body)} bytes")
            return body

    try:
        return json.loads(_persist(step, url, retries, sleep, here=lambda: 0))
    except _Refused as refusal:
        raise DownloadError(f"{url}: {refusal}") from None
    except ValueError:
        raise DownloadError(f"{url}: the answer is not JSON") from None


def check_room(folder: Path, files: Iterable[RemoteFile]) -> None:
    """Raise DownloadError if the disk of `folder` has less room than what is missing of `files`, as
    far as known."""
    need = sum(max(0, (file.size or 0) - size_of(part_of(file.path))) for file in files)
    free = shutil.disk_usage(folder).free
    if need > free:
        what = f"{folder} has {human_bytes(free)} free and {human_bytes(need)} are needed"
        raise DownloadError(what, "make room, or give a folder on another disk")


@contextmanager
def disk_errors(path: Path, missing: int | None = None) -> Iterator[None]:
    """Says an OSError of this disk as a DownloadError; `missing` is how many bytes are still to be
    written."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"{path} cannot be written: {error.strerror or error}") from None
        need = f"{human_bytes(missing)} more are needed and " if missing is not None else ""
        free = human_bytes(shutil.disk_usage(path.parent).free)
        raise DownloadError(
            f"the disk is full at {path}: {need}{free} are free", f"make room and {GO_ON}"
        ) from None


def _persist(
    step: Callable[[], T],
    name: str,
    retries: int,
    sleep: Callable[[float], None],
    here: Callable[[], int],
) -> T:
    """What `step` returns, taken again while it breaks; only tries that leave no more bytes `here`
    count."""
    furthest, failures = -1, 0
    while True:
        try:
            return step()
        except _Broken as trouble:
            failures = failures + 1 if here() <= furthest else 1
            furthest = max(furthest, here())
            if failures > retries:
                raise DownloadError(f"{name}: {trouble} (tried {failures} times)", GO_ON) from None
            wait_s = (
                trouble.wait_s if trouble.wait_s is not None else min(60.0, 2.0 ** (failures - 1))
            )
            logger.info("%s: %s; again in %.0f s", name, trouble, wait_s)
            sleep(wait_s)


def _fetch_rest(file: RemoteFile, part: Path, on_bytes: Callable[[int, int], None]) -> str | None:
    """Append what is missing of `part`, from the first URL that serves it; the md5 that the server
    states."""
    if file.size is not None and part.exists() and size_of(part) == file.size:
        on_bytes(file.size, file.size)
        return None
    reasons = []
    for url in file.urls:
        try:
            return _stream(url, file, part, on_bytes)
        except _Refused as refusal:
            reasons.append(f"{urlsplit(url).netloc} {refusal}")
    raise FileError(f"{file.name}: " + ", ".join(dict.fromkeys(reasons)))


def _stream(
    url: str, file: RemoteFile, part: Path, on_bytes: Callable[[int, int], None]
) -> str | None:
    offset = size_of(part)
    if file.size is not None and offset > file.size:
        offset = 0
    with _open(url, offset) as response:
        if (
            response.status == 416
        ):  # nothing after `offset`: the part is whole, or no part of this file
            if (
                offset
                and response.headers.get("Content-Range") == f"bytes */{offset}"
                and file.size is None
            ):
                return None
            part.unlink()
            raise _Broken(f"the server has nothing after byte {offset}", wait_s=0)
        start, total = _extent(response, offset)
        if file.size is not None and total not in (None, file.size):
            raise _Refused(f"serves {total} bytes where {file.size} are published")
        total = file.size if total is None else total
        with (
            disk_errors(part, None if total is None else total - start),
            part.open("ab" if start else "wb") as handle,
        ):
            here = start
            for chunk in _chunks(response):
                handle.write(chunk)
                here += len(chunk)
                on_bytes(here, total or 0)
        if total is not None and here != total:
            raise _Broken(f"broke off at {here} of {total} bytes")
        return md5_in(response.headers.get("ETag", ""))


def _open(
    url: str, offset: int = 0, busy: frozenset[int] = _BUSY
) -> http.client.HTTPResponse | HTTPError:
    """The answer to a request for the bytes from `offset` on, with status 2xx or 416."""
    headers = {"User-Agent": _USER_AGENT} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response: http.client.HTTPResponse = urlopen(
            Request(url, headers=headers), timeout=_TIMEOUT_S
        )
    except HTTPError as error:
        if error.code == 416 and offset:
            return error
        with error:
            if error.code in busy:
                raise _Broken(
                    f"the server answered {error.code}", _retry_after_s(error.headers)
                ) from None
            raise _Refused(f"answered {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _Broken(f"{urlsplit(url).netloc} cannot be reached, {reason}") from None
    return response


def _chunks(response: http.client.HTTPResponse | HTTPError) -> Iterator[bytes]:
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"the connection broke off, {error or type(error).__name__}") from None


def _extent(response: http.client.HTTPResponse | HTTPError, offset: int) -> tuple[int, int | None]:
    """First byte that comes, and bytes in all (None: not said). A 200 to a Range request starts at
    0 again."""
    if response.headers.get_content_type() == "text/html":
        raise _Refused(f"answered {response.status} with a web page")
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != offset:
            raise _Refused("answered with other bytes than those asked for")
        return offset, None if found[2] == "*" else int(found[2])
    if response.status != 200:  # figshare's gate against robots answers 202 and nothing
        raise _Refused(f"answered {response.status} and no file")
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def _retry_after_s(headers: Message) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; at most ten minutes."""
    text = headers.get("Retry-After", "")
    try:
        wait_s = (
            float(text)
            if text.isdigit()
            else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        )
    except (TypeError, ValueError):
        return None
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)
