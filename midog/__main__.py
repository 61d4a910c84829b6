"""The process: `python -m midog` and the console script, stoppable from the first import on."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import NoReturn

from midog.signals import STOPS, exit_code, raising_stops


def main() -> None:
    """Run the command line; a stop while it is imported is one line as well."""
    code: str | int | None = 1
    try:
        with raising_stops() as stops:
            try:
                from midog.cli.main import main as run
                from midog.cli.terminal import close_stdout

                code = run()
                close_stdout()
            except SystemExit as end:
                code = end.code
            except BaseException:
                if stops.signum is None:
                    raise
                sys.stderr.write("stopped\n")
                code = exit_code(stops.signum)
    finally:
        for signum in STOPS:  # the end of the interpreter prints no traceback
            if signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, signal.SIG_DFL)
    leave(code)


def leave(code: str | int | None) -> NoReturn:
    """Exit as `sys.exit` does; processes that trained together do it without taking apart the
    interpreter: a thread of gloo's that lets go of a tensor meanwhile would abort the process.

    Args:
        code: None or a number; a text is printed to stderr, and the exit code is 1.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not (distributed.is_available() and distributed.is_initialized()):
        sys.exit(code)
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    main()
