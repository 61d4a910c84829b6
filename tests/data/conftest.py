"""A local HTTP server that stands for an archive, and fails as archives and networks do."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass(frozen=True)
class Answer:
    """How one request is answered.

    status: in place of 200 or 206, with an empty body unless `body` is given.
    body: in place of the file's bytes. cut: bytes sent before the connection is closed, of those
    announced.
    reset: close it as a crash does (TCP reset). ranges: whether a Range header is honoured.
    headers: further headers.
    """

    status: int | None = None
    body: bytes | None = None
    cut: int | None = None
    reset: bool = False
    ranges: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Archive:
    """Files by URL path. `faults[path]` are used up, one a request; then `manner[path]` holds."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    manner: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def ranges(self, path: str) -> list[str | None]:
        """The Range headers of the requests for that path, in order."""
        return [asked for requested, asked in self.requests if requested.split("?")[0] == path]

    def take(self, path: str) -> Answer:
        return self.faults[path].pop(0) if self.faults[path] else self.manner.get(path, Answer())


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.archive = Archive(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.archive
    server.shutdown()
    thread.join()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: the connection closes after each answer, whole or not."""

    def do_GET(self) -> None:
        archive: Archive = self.server.archive
        path = self.path.split("?")[0]
        asked = self.headers.get("Range")
        archive.requests.append((self.path, asked))
        archive.headers.append(dict(self.headers))
        answer = archive.take(path)
        body = archive.files.get(path) if answer.body is None else answer.body
        if answer.status is not None:
            self._send(answer.status, answer.body or b"", answer)
        elif body is None:
            self._send(404, b"no such file", answer)
        elif asked and answer.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(body):
                self._send(416, b"", answer, {"Content-Range": f"bytes */{len(body)}"})
            else:
                extent = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
                self._send(206, body[start:], answer, extent)
        else:
            self._send(200, body, answer)

    def _send(
        self, status: int, body: bytes, answer: Answer, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            **(headers or {}),
            **answer.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: answer.cut])
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass
