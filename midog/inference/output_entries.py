"""The entries of a folder of detections: one for each image that is done."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.registry import FORMATS
from midog.json_text import checked, read_json, to_json
from midog.mpp import MppLike
from midog.tissue.picture import ENDING as TISSUE_ENDING

logger = logging.getLogger(__name__)

ENTRIES_NAME = ".midog-infer"
"""Folder in a folder of detections with an entry STEM.json for each image that is done."""

HEATMAP_FOLDER = ".midog-heatmap"
"""Folder in a folder of heat maps with what is done of those that are being made."""
MAP_ENDING, RECORD_ENDING = ".heatmap.tif", ".heatmap.json"
OVERLAY_ENDING, TRIPTYCH_ENDING = ".heatmap.png", ".triptych.png"
_OF_MAPS = (MAP_ENDING, OVERLAY_ENDING, TRIPTYCH_ENDING, TISSUE_ENDING)


@dataclass(frozen=True)
class Entry:
    """How an image was done.

    Attributes:
        image: Identity of the image's content.
        state: Of the image's file, by which an untouched one is recognised without being read.
        mpp: um/px given for it; None: its own.
        settings: Digest of the detector's settings.
        files: Digest of each file that was written, by the name of its format.
    """

    image: str
    state: str
    mpp: MppLike | None
    settings: str
    files: dict[str, str]


def read_entry(folder: Path, stem: str) -> Entry | None:
    """Return the entry of an image; None if there is none, or, with a line, if it is damaged."""
    path = entry_path(folder, stem)
    if not path.is_file():
        return None
    try:
        return checked(read_json(path, DetectionsError), Entry, str(path), DetectionsError)
    except DetectionsError as error:
        logger.warning("%s: the image is detected in again", error.what)
        return None


def write_entry(folder: Path, stem: str, entry: Entry) -> None:
    """Write the entry of an image, whole or not at all.

    Raises:
        DetectionsError: If it cannot be written.
    """
    text = to_json(asdict(entry), indent=0)
    replace_text(entry_path(folder, stem), text, DetectionsError, parents=True)


def entry_path(folder: Path, stem: str) -> Path:
    """The file of an image's entry."""
    return folder / ENTRIES_NAME / f"{stem}.json"


def written_folders(folder: Path, stems: Iterable[str]) -> list[Path]:
    """The folders that files and entries of images are written to, case folders too."""
    places = sorted({Path(stem).parent for stem in stems} | {Path()})
    return [top / place for top in (folder, folder / ENTRIES_NAME) for place in places]


def stems_in(folder: Path) -> list[str]:
    """The stems of all images that have an entry, sorted."""
    entries = folder / ENTRIES_NAME
    paths = (path.relative_to(entries).as_posix() for path in entries.rglob("[!.]*.json"))
    return sorted(path.removesuffix(".json") for path in paths)


def is_output(path: Path, folder: Path) -> bool:
    """Whether a file in a folder of detections or heat maps, or below it, is one that midog wrote
    there."""
    if path.name.endswith(_OF_MAPS) and (folder / HEATMAP_FOLDER).is_dir():
        return True
    if path.name.endswith(TISSUE_ENDING) and (folder / ENTRIES_NAME).is_dir():
        return True  # also of an image that failed, as it has no tissue
    return next(owners_of(path, folder), None) is not None


def owners_of(path: Path, folder: Path) -> Iterator[str]:
    """The stems of the images whose entries claim a file of a folder of detections.

    There is at most one, unless someone else has written entries.
    """
    if not (folder / ENTRIES_NAME).is_dir():
        return
    name = path.relative_to(folder).as_posix()
    for key, entry in FORMATS.items():
        if name.endswith(entry.ending) and len(name) > len(entry.ending):
            stem = name.removesuffix(entry.ending)
            claimed = read_entry(folder, stem)
            if claimed is not None and key in claimed.files:
                yield stem
