"""Stops from outside: Ctrl-C, SIGTERM and SIGHUP raise Interrupted, a KeyboardInterrupt."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end."""

_LOOK_AGAIN_S = 0.02


class Interrupted(KeyboardInterrupt):
    """A command stopped by a signal.

    Args:
        signum: Of the signal.
    """

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum


class Stops:
    """What was asked of this process.

    Attributes:
        signum: Of the signal that asked for a stop; None if there was none.
    """

    signum: int | None = None
    _waits: bool = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Note a stop and raise Interrupted, but not into an import, which C code may not survive:
        after it, unless a second stop asks for an end at once."""
        if self._waits:
            _end_at_once(signum)
        self.signum = signum
        self._raise_after_import(signum, frame)

    def _raise_after_import(self, signum: int, frame: FrameType | None) -> None:
        self._waits = _within_import(frame)
        if not self._waits:
            raise Interrupted(self.signum or signum)
        signal.signal(signal.SIGALRM, self._raise_after_import)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN_S)


@contextmanager
def raising_stops() -> Iterator[Stops]:
    """Raise Interrupted for every stop that arrives in the block.

    A signal that the process ignores (SIGHUP under nohup) stays ignored. Outside the main thread,
    where Python sets no handlers, this does nothing.
    """
    stops = Stops()
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for stop in STOPS:
            if signal.getsignal(stop) is not signal.SIG_IGN:
                before[stop] = signal.signal(stop, stops.handle)
    try:
        yield stops
    finally:
        if stops.signum is not None:  # a look that is still to come
            signal.setitimer(signal.ITIMER_REAL, 0)
        for stop, handler in before.items():
            signal.signal(stop, handler)


def exit_code(signum: int | None) -> int:
    """The exit code that shells expect of a stopped process: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + int(signum or signal.SIGINT)


def _within_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end_at_once(signum: int) -> None:
    with suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(exit_code(signum))
