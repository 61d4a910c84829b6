"""The files in a folder and below it: links followed once, hidden ones left out, counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from midog.errors import MidogError

logger = logging.getLogger(__name__)

_MOST = 200_000


def files_below(folder: Path, kind: type[MidogError] = MidogError) -> Iterator[Path]:
    """List the files in a folder, then those in folders below, sorted within each.

    A link is one of them wherever it points, so that a dangling one fails in its turn; a folder is
    visited once, however many links lead to it. A folder that cannot be listed is one line.

    Args:
        folder: The folder.
        kind: The error to raise.

    Raises:
        MidogError: Of that kind: more than 200,000 files and folders lie there, as below / or
            /proc.
    """
    seen: set[str] = set()
    count = 0

    def unreadable(error: OSError) -> None:
        logger.warning("left out %s/: %s", error.filename, error.strerror)

    for place, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if name[0] != ".")
        if real in seen:
            continue
        seen.add(real)
        count += len(folders) + len(names)
        if count > _MOST:
            raise kind(
                f"{folder} holds more than {_MOST:,} files and folders",
                "give the folder that holds those that are meant, and no others",
            )
        for name in sorted(names):
            path = Path(place, name)
            if name[0] != "." and (path.is_file() or path.is_symlink()):
                yield path
