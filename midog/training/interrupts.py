"""Ctrl-C and SIGTERM during a training: the first is noted, a second acts at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A run stopped by a signal, after it was saved.

    Args:
        signum: Of the signal.
    """

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum


class Interrupts:
    """Context in which the first SIGINT or SIGTERM is only noted; a second acts as outside it."""

    def __init__(self) -> None:
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
            for signum in (signal.SIGINT, signal.SIGTERM):
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
        # safe in a handler, as print is not
        os.write(2, b"stopping once everything is saved; interrupt again to stop at once\n")

    def _restore(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}
