"""Ctrl-C, SIGTERM and SIGHUP during a training: the first is noted, a second acts at once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from midog.signals import STOPS
from midog.signals import Interrupted as Interrupted

RANK = "MIDOG_RANK"
"""In the environment of a process that the first one of a training started: its rank."""


class Interrupts:
    """Context in which the first stop is only noted; a second acts as outside it.

    Args:
        quiet: Print no line: another process of the training does.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.signum: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        """Whether a stop was requested."""
        return self.signum is not None

    def check(self) -> None:
        """Raise Interrupted where a stop was requested."""
        if self.signum is not None:
            raise Interrupted(self.signum)

    def __enter__(self) -> Interrupts:
        # only in the main thread may Python set handlers
        if threading.current_thread() is threading.main_thread():
            for signum in STOPS:
                if signal.getsignal(signum) is not signal.SIG_IGN:  # as SIGHUP is under nohup
                    self._before[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        self._restore()
        if self.quiet:
            return
        with suppress(OSError):  # a terminal that is gone
            # safe in a handler, as print is not
            os.write(2, b"stopping once everything is saved; interrupt again to stop at once\n")

    def _restore(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}
