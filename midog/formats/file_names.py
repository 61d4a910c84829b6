"""The name of an image's files of detections, the same for what writes and what reads them."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

_IMAGES = "images"


def stem_of(file_name: str) -> str:
    """Return the name of an image's files without their ending: 01/01.tif gives 01/01.

    Folders are kept, as case folders hold images of one name. Of a name that leads out of the data
    folder (an absolute one, or one with `..`) the last part alone is taken, so that nothing is
    written outside the output folder.

    Args:
        file_name: Of the image, as the annotation file or the split has it; its place below the
            data folder or below its images/.
    """
    parts = parts_of(file_name)
    last = PurePosixPath(parts[-1]).stem.lstrip(".") or "_"
    return "/".join([*parts[:-1], last])


def parts_of(file_name: str) -> list[str]:
    """Return the folders and the name of an image, below images/; see `stem_of`."""
    path = PurePosixPath(file_name)
    parts = [part for part in path.parts if part not in ("/", ".")]
    if path.is_absolute() or ".." in parts:
        parts = parts[-1:]
    if len(parts) > 1 and parts[0] == _IMAGES:
        parts = parts[1:]
    return [part.lstrip(".") or "_" for part in parts] or ["_"]


def key_of(name: str) -> str:
    """Return a name as names are compared: an accent is one letter or two, by the file system."""
    return unicodedata.normalize("NFC", name)
