"""Files that commands are asked to write: checked before the work, not after it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from midog.errors import MidogError
from midog.files import cannot_write, check_regular

_HEAD = 4096


@dataclass(frozen=True)
class Output:
    """A kind of file.

    Args:
        what: Its name in errors.
        mark: In the first bytes of every such file, so that no other is replaced.
    """

    what: str
    mark: bytes


PAGE = Output("report of midog", b'<meta name="generator" content="midog ')
PREVIEW = Output("preview of midog", b"midog preview")
SHEET = Output("sheet of midog", b"midog sheet of mistakes")
ROI_TABLE = Output("CSV of midog's scores", b"file_name,patient,")
PATCH_TABLE = Output("CSV of probabilities of midog", b"patch,slide,class,probability,")


def check_output(path: Path, kind: Output, option: str) -> None:
    """Check that a file can be written where an option names it.

    Args:
        path: The file. One that exists is replaced only if it is empty or of that kind.
        kind: What will be written.
        option: The option's name, for the error.

    Raises:
        MidogError: If the file's folder does not exist or cannot be written to, or if what exists
            is another file, a folder, a link or a device.
    """
    parent, another = path.absolute().parent, {option: None}
    if not parent.is_dir():
        what = f"no folder {path.parent} for {path.name}"
        raise MidogError(what, f"make it, or choose another {{{option}}}", another)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise MidogError(
            f"{path.parent} cannot be written to", f"choose another {{{option}}}", another
        )
    try:
        check_regular(path)
        head = _head(path)
    except OSError as error:
        raise MidogError(
            cannot_write(path, error).what, f"choose another {{{option}}}", another
        ) from None
    if head and kind.mark not in head:
        what = f"{path} exists and is no {kind.what}, so it is not replaced"
        raise MidogError(what, f"choose another {{{option}}}, or remove it", another)


def _head(path: Path) -> bytes:
    """The first bytes of a file; none if it does not exist."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except FileNotFoundError:
        return b""
