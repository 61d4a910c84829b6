"""What an archive publishes, and what of it is whole in a data folder; kept there as JSON."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from midog.data.download.remote_file import LARGEST, disk_errors
from midog.errors import DownloadError
from midog.files import replacing
from midog.json_text import checked, read_json, to_json

logger = logging.getLogger(__name__)

MANIFEST = ".midog-download"
"""Name of the manifest in a data folder."""


@dataclass(frozen=True)
class Checksum:
    """Bytes and md5 of a file; None where the archive does not state them."""

    size: Annotated[int, Field(ge=0, le=LARGEST)] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None


@dataclass(frozen=True)
class _State:
    """What the file holds."""

    dataset: str
    published: dict[str, Checksum]
    done: dict[str, Checksum]


@dataclass
class Manifest:
    """The state of a download.

    published: what the archive publishes, by the archive's key. done: what is whole in the folder,
    by file name.
    """

    path: Path
    dataset: str
    published: dict[str, Checksum] = field(default_factory=dict)
    done: dict[str, Checksum] = field(default_factory=dict)

    def save(self) -> None:
        """Write it to its path.

        Raises:
            DownloadError: where that cannot be done.
        """
        tree: dict[str, Any] = asdict(self)
        del tree["path"]
        with disk_errors(self.path), replacing(self.path, None) as part:
            part.write_text(to_json(tree, indent=0), encoding="utf-8")


def open_manifest(folder: Path, dataset: str, annotation: str) -> Manifest:
    """The manifest of a folder, which is made where missing; one that cannot be read is begun anew.

    Args:
        folder: the data folder.
        dataset: name of the data set.
        annotation: name of its annotation file.

    Raises:
        DownloadError: where the folder holds other data or cannot be made.
    """
    path = folder / MANIFEST
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted(file.name for file in folder.glob("[!.]*.json") if file.name != annotation)
    if others:
        raise DownloadError(
            f"{folder} holds other data, {', '.join(others)}", "give another folder"
        )
    try:
        if not os.path.lexists(path):
            return Manifest(path, dataset)
        state = checked(read_json(path, DownloadError), _State, str(path), DownloadError)
    except DownloadError as error:
        logger.warning("%s; the files that are here are checked anew", error)
        return Manifest(path, dataset)
    return Manifest(path, dataset, state.published, state.done)
