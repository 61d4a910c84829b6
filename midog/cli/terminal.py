"""All that a command prints passes here: results to stdout, the rest to stderr, made visible."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import Any, TextIO

from midog.errors import clean, escaped


def say(line: str) -> None:
    """Print a line on stderr. A terminal that is gone costs no work."""
    with suppress(OSError, ValueError, AttributeError):  # broken, closed, or None
        sys.stderr.write(f"{clean(line)}\n")
        sys.stderr.flush()


def show(line: object) -> None:
    """Print a line of results on stdout, spaces and length as they are; see `show_text`."""
    show_text(f"{escaped(str(line))}\n")


def show_text(text: str) -> None:
    """Print text on stdout that has no more in it than midog's own letters: JSON, YAML.

    Raises:
        OSError: If stdout takes no more.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from None


def show_usage(error: Any) -> None:
    """Print what typer found wrong with a command line, or the help where nothing was asked for."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{error.message}\n")
        return
    if error.ctx is not None:
        for line in error.ctx.get_usage().splitlines():
            say(line)
        say(f"Try '{error.ctx.command_path} --help' for help.")
    say(f"Error: {error.format_message()}")


def show_log(*, quiet: bool) -> None:
    """Print the log, and warnings of libraries, a line for each on stderr.

    Args:
        quiet: Leave out midog's own lines that are no warnings.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()], force=True)
    logging.getLogger("midog").setLevel(logging.WARNING if quiet else logging.INFO)
    for library in ("tifffile", "lightning.fabric", "lightning_fabric"):  # our lines replace theirs
        logging.getLogger(library).setLevel(logging.CRITICAL)
    warnings.showwarning = _show_warning


def write_what_fits() -> None:
    """Let stdout escape the letters that it has no code for, as stderr does, and not fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def close_stdout() -> None:
    """Let what stdout did not take vanish, before the interpreter's end complains of it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


class _Lines(logging.Handler):
    """Says each record."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(record.getMessage())
        except Exception:
            self.handleError(record)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say(f"warning: {message} ({category.__name__} of {filename}:{lineno})")
