"""Files that are there whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from midog.errors import MidogError


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file. Raises MidogError, with what to do, where that cannot be; the old
    file then stays."""
    part = path.with_name(
        f".{path.name}.part"
    )  # one name: what a killed process leaves is overwritten
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> MidogError:
    """The error of a file that cannot be written."""
    if error.errno == errno.ENOSPC:
        return MidogError(
            f"{path} cannot be written: the disk is full", "make room and start again"
        )
    return MidogError(
        f"{path} cannot be written: {error.strerror or error}", "choose another place"
    )
