"""Files tried in a process of their own first: a damaged one may end it, or keep it for ever."""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midog.errors import ImageError

_LONGEST_S = 60  # for one request
_MOST_JPEGS = 1000  # in one request

_SCRIPT = Path(__file__).with_name("trial_process.py")


def try_slide(path: Path) -> None:
    """Open a slide as OpenSlide would, in a process of its own; once for each state of a file.

    Args:
        path: a file that OpenSlide takes for a slide.

    Raises:
        ImageError: where that process ended, or did not end.
    """
    stat = path.stat()
    state = stat.st_size, stat.st_mtime_ns, stat.st_ino
    if (words := _tried(path.absolute(), state)) is not None:
        raise ImageError(f"{path} cannot be read ({words})", "copy or download it again")


def damage_of_jpegs(
    path: Path, places: Sequence[tuple[int, int]], tables: bytes = b""
) -> str | None:
    """What libjpeg warns of when it decodes JPEGs, None where they are sound.

    Decoders fill in what is missing or wrong and say nothing. Damage after which the decoder
    happens to be in step again is not noticed: a JPEG holds no checksum.

    Args:
        path: the file that holds the JPEGs.
        places: offset and length of each, bytes.
        tables: those that a TIFF stores once for all its tiles.
    """
    encoded = base64.b64encode(tables).decode()
    request = {"task": "jpegs", "path": str(path.absolute()), "tables": encoded}
    for start in range(0, len(places), _MOST_JPEGS):
        part = places[start : start + _MOST_JPEGS]
        answer, words = _helper().ask(request | {"places": part})
        if words or answer:
            return words or answer
    return None


@functools.lru_cache(maxsize=100_000)
def _tried(path: Path, state: tuple[int, ...]) -> str | None:
    """Why a slide cannot be opened: what its process said last."""
    return _helper().ask({"task": "slide", "path": str(path)})[1]


class _Helper:
    """A process that tries files; it is started at the first, and again after one that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._lock = threading.Lock()

    def ask(self, request: dict[str, Any]) -> tuple[str | None, str | None]:
        """The answer to a request, and what was said last by a process that ended or was ended."""
        with self._lock:
            process = self._process = self._process or self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            line = ""
            answered = select.poll()  # not select(), which takes no file beyond the 1024th
            answered.register(process.stdout, select.POLLIN)
            if answered.poll(_LONGEST_S * 1000):
                line = process.stdout.readline()
                if line:
                    return json.loads(line), None
                return None, self._last_words(self._end())
            self._end()
            return None, f"it took more than {_LONGEST_S} s to open"

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> subprocess.Popen[str]:
        self._words.truncate(0)
        return subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            start_new_session=True,  # Ctrl-C is for the parent
        )

    def _end(self) -> int:
        """Kill the process; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        return status

    def _last_words(self, status: int) -> str:
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").split("\n")
        said = " ".join(line.strip() for line in lines if line.strip())
        return f"its library ended with status {status}" + (f": {said[-200:]}" if said else "")


@functools.cache
def _helper_of(process: int) -> _Helper:
    """The helper of this process: one that was forked has its own."""
    helper = _Helper()
    atexit.register(helper.close)
    return helper


def _helper() -> _Helper:
    return _helper_of(os.getpid())
