"""Ctrl-C and SIGTERM during a training: noted, acted on where nothing is lost; a second one acts at
once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A run stopped by a signal after saving; `signum` says which."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum


class Interrupts:
    """Context in which the first SIGINT or SIGTERM is only noted, and the second acts as it would
    outside."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        """Whether somebody asked to stop."""
        return self.signum is not None

    def check(self) -> None:
        """Raise Interrupted where somebody asked to stop."""
        if self.signum is not None:
            raise Interrupted(self.signum)

    def __enter__(self) -> Interrupts:
        if (
            threading.current_thread() is threading.main_thread()
        ):  # only there may Python set handlers
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
        os.write(
            2, b"stopping as soon as nothing is lost; once more stops at once\n"
        )  # safe in a handler

    def _restore(self) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}
