"""Answers of web servers: opened over http and https alone, and what they state checked."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from midog._version import __version__

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""What a server answers that is busy."""

_USER_AGENT = f"midog/{__version__}"  # archives slow down clients that do not name themselves
_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 600.0
_CHUNK = 1 << 18
_NUMBER = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")

Answer = http.client.HTTPResponse | HTTPError


class Broken(Exception):
    """The network or the server failed for now.

    wait_s: what the server asks for, None where it asks for nothing.
    """

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class Refused(Exception):
    """This URL does not serve the file; trying it again would not help."""


def open_url(url: str, offset: int = 0, busy: frozenset[int] = BUSY) -> Answer:
    """The answer to a request for the bytes from `offset` on, with status 2xx or 416.

    Args:
        url: the address.
        offset: of the first byte that is wanted.
        busy: what a server answers that is worth another try.

    Raises:
        Broken: where it may answer later.
        Refused: where it answers anything else, or sends on to what is not the web.
    """
    headers = {"User-Agent": _USER_AGENT} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        request = Request(url, headers=headers)
        response: http.client.HTTPResponse = _opener().open(request, timeout=_TIMEOUT_S)
    except HTTPError as error:
        if error.code == 416 and offset:
            return error
        with error:
            if error.code in busy:
                raise Broken(
                    f"the server answered {error.code}", _retry_after_s(error.headers)
                ) from None
            raise Refused(f"answered {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Broken(f"{urlsplit(url).netloc} cannot be reached, {reason}") from None
    except ValueError as error:  # a redirect to what is no address
        raise Refused(f"leads to no address, {error}") from None
    return response


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to http and https alone, and none from https to http."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        allowed = {"https"} if urlsplit(req.full_url).scheme == "https" else {"http", "https"}
        if urlsplit(newurl).scheme not in allowed:
            raise HTTPError(req.full_url, code, f"redirect to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """What opens http and https, through proxies where the environment names them, and no more."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def chunks_of(response: Answer) -> Iterator[bytes]:
    """The bytes of an answer, some at a time.

    Raises:
        Broken: where they break off.
    """
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"the connection broke off, {error or type(error).__name__}") from None


def extent_of(response: Answer, offset: int) -> tuple[int, int | None]:
    """First byte of an answer, and bytes in all (None: not stated).

    A 200 to a Range request starts at 0 again.
    """
    if response.headers.get_content_type() == "text/html":
        raise Refused(f"answered {response.status} with a web page")
    if response.status == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        first, last, total = match.groups() if match else ("-1", "-1", "*")
        if int(first) != offset or int(last) < offset or (total != "*" and int(last) >= int(total)):
            raise Refused("answered with other bytes than those requested")
        return offset, None if total == "*" else int(total)
    if response.status != 200:  # figshare's gate against robots answers 202 and nothing
        raise Refused(f"answered {response.status} and no file")
    return 0, length_of(response, None)


def length_of(response: Answer, unknown: int | None) -> int | None:
    """The Content-Length of an answer; `unknown` where it states none that is a number."""
    length = response.headers.get("Content-Length", "")
    return int(length) if _NUMBER.fullmatch(length) else unknown


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
