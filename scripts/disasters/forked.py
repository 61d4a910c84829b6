"""The command line in a forked process, which starts in a moment and can be killed."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (minus the signal), and its last lines on stderr."""

    code: int
    lines: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else ""


class Started:
    """A command at work, in a session of its own."""

    def __init__(self, words: Sequence[object], place: Path, log: Path) -> None:
        """Start it.

        Args:
            words: Of the command line, without `midog`.
            place: The folder to work in; the cache is there too.
            log: Where its stderr goes; it must be on another disk.
        """
        self.log = log
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _be(words, place, log)

    def wait(self) -> Ended:
        _, status = os.waitpid(self.pid, 0)
        lines = self.log.read_text(errors="replace").splitlines()
        return Ended(os.waitstatus_to_exitcode(status), tuple(lines[-20:]))

    def is_over(self) -> bool:
        """Whether it has ended; it still has to be waited for."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill(self) -> Ended:
        os.killpg(self.pid, signal.SIGKILL)
        return self.wait()


def run(words: Sequence[object], place: Path, log: Path) -> Ended:
    """Run a command to its end; see `Started`."""
    return Started(words, place, log).wait()


def _be(words: Sequence[object], place: Path, log: Path) -> None:
    """Become that command; never returns."""
    code = 70
    try:
        os.setsid()
        errors = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ["MIDOG_CACHE"] = str(place / "cache")
        os.chdir(place)
        from midog.cli.main import main

        sys.argv = ["midog", *map(str, words)]
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)
