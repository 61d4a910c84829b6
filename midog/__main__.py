"""The process: `python -m midog` and the console script, stoppable from the first import on."""

from __future__ import annotations

import signal
import sys

from midog.signals import STOPS, exit_code, raising_stops


def main() -> None:
    """Run the command line; a stop while it is imported is one line as well."""
    code: object = 1
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
    sys.exit(code)


if __name__ == "__main__":
    main()
