"""Names of files and folders made of any text, as a scanner's or a run's."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path

_LENGTH = 100
_MARKS = " -_.,+=@()&"


def safe_name(text: str) -> str:
    """Turn any text into the name of a file or folder: one part of a path, visible and short.

    Letters and digits of any script, spaces and `-_.,+=@()&` stay; all else becomes `_`. Two texts
    may get one name: whoever makes files of them checks that.

    Returns:
        A name of 1 to 100 characters that neither starts with a dot nor ends with a dot or space.
    """
    text = unicodedata.normalize("NFC", text)
    name = "".join(
        letter if letter.isalnum() or letter in " -_.,+=@()&" else "_" for letter in text
    )
    name = re.sub(r"^[. ]", "_", name.rstrip(". ")) or "_"
    if len(name) > _LENGTH:
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
        name = f"{name[: _LENGTH - 9]}-{digest}"
    return name


def real_path(path: Path | str) -> Path:
    """The absolute place of a file or folder, links followed and `~` replaced, as far as that can
    be: a link that leads to itself stays, and is an OSError where it is opened."""
    return Path(os.path.realpath(os.path.expanduser(path)))
