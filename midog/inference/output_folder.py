"""The folder that detections are written to: how each of its images was made, one entry each."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.registry import FORMATS
from midog.json_text import to_json

RECORD_NAME = ".midog-infer.json"
"""File in the folder that holds the settings of the detector."""
ENTRIES_NAME = ".midog-infer"
"""Folder in the folder with a file STEM.json for each image that is done: which image it was, the
um/px given for it (null: its own), and a digest of the settings."""


class OutputFolder:
    """A folder of detections of one detector, which several processes may fill at once.

    An image is done when its entry and its files are whole. Entries are read when they are asked
    for, so that what other processes finish is seen. Any thread may call it.

    Args:
        path: The folder; made if it does not exist.
        settings: What decides the detections (`Detector.settings`), as JSON has it.
        stems: Of the images that are to be done now.
        overwrite: Do images again that are done, also those of other settings.

    Raises:
        DetectionsError: If the folder holds detections of other settings, unless `overwrite`; and
            even then if some of them belong to other images, which would stay and be scored as this
            detector's.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], stems: Sequence[str], *, overwrite: bool
    ) -> None:
        self.path, self.settings, self.overwrite = path, dict(settings), overwrite
        self._entries = path / ENTRIES_NAME
        self._digest = _digest_of(self.settings)
        path.mkdir(parents=True, exist_ok=True)
        if read_settings(path) == self.settings:
            return  # nothing is written: a whole folder may lie on a read-only disk
        self._entries.mkdir(exist_ok=True)
        with _locked(self._entries / ".lock"):
            self._take_over(stems)

    def targets(self, stem: str, formats: Sequence[str]) -> list[Path]:
        """Return the files of an image, one per format."""
        return [self.path / f"{stem}{FORMATS[name].ending}" for name in formats]

    def is_done(self, image: Path, mpp: float | None, formats: Sequence[str]) -> bool:
        """Whether all files of an image exist, made from these pixels with that um/px.

        Raises:
            DetectionsError: If they were made from another image of the same name.
        """
        entry = None if self.overwrite else self._read_entry(image.stem)
        if entry is None:
            return False
        if image.is_file() and entry["image"] != identity_of(image):
            raise DetectionsError(
                f"{self.path}/ holds detections of another image named {image.name}",
                "choose another {out}, or {overwrite}",
                {"out": None, "overwrite": True},
            )
        targets = self.targets(image.stem, formats)
        return self._is_of(entry, mpp) and all(path.is_file() for path in targets)

    def begin(self, image: Path, mpp: float | None) -> None:
        """Delete what will be made anew, so that an image that then fails is not taken for done.

        Raises:
            DetectionsError: If another process has begun to overwrite the folder.
        """
        changed = _changes(read_settings(self.path), self.settings)
        if changed:
            raise DetectionsError(
                f"another process overwrites {self.path}/ with another {', '.join(changed)}",
                "choose another {out}",
                {"out": None},
            )
        entry = self._read_entry(image.stem)
        if self.overwrite or (entry is not None and not self._is_of(entry, mpp)):
            self._delete(image.stem)

    def finish(self, image: Path, mpp: float | None) -> None:
        """Record that the files of an image are whole.

        Raises:
            DetectionsError: If the entry cannot be written.
        """
        entry = {"image": identity_of(image), "mpp": mpp, "settings": self._digest}
        path = self._entry_path(image.stem)
        replace_text(path, to_json(entry, indent=0), DetectionsError, parents=True)

    def _take_over(self, stems: Sequence[str]) -> None:
        """Record the settings, and delete what other settings made, if that is allowed."""
        changed = _changes(read_settings(self.path), self.settings)
        if changed:
            self._require_overwrite(changed, stems)
            for stem in stems:
                self._delete(stem)
        record = to_json({"settings": self.settings}, indent=0)
        replace_text(self.path / RECORD_NAME, record, DetectionsError)

    def _require_overwrite(self, changed: Sequence[str], stems: Sequence[str]) -> None:
        if not self.overwrite:
            raise DetectionsError(
                f"{self.path}/ holds detections made with another {', '.join(changed)}",
                "choose another {out}, or {overwrite}",
                {"out": None, "overwrite": True},
            )
        done = {path.stem for path in self._entries.glob("[!.]*.json")}
        others = sorted(done - set(stems))
        if others:
            raise DetectionsError(
                f"{self.path}/ holds detections of {len(others)} other images ({others[0]}, …) made"
                f" with another {', '.join(changed)}",
                "choose another {out}, or delete the folder",
                {"out": None},
            )

    def _is_of(self, entry: Mapping[str, Any], mpp: float | None) -> bool:
        return bool(entry["mpp"] == mpp and entry["settings"] == self._digest)

    def _entry_path(self, stem: str) -> Path:
        return self._entries / f"{stem}.json"

    def _read_entry(self, stem: str) -> dict[str, Any] | None:
        """What `finish` recorded; None if there is no whole one."""
        entry = _read_object(self._entry_path(stem)) or {}
        return entry if entry.keys() >= {"image", "mpp", "settings"} else None

    def _delete(self, stem: str) -> None:
        for path in (self._entry_path(stem), *self.targets(stem, tuple(FORMATS))):
            path.unlink(missing_ok=True)


def read_settings(folder: Path) -> dict[str, Any] | None:
    """Return the settings of the detector that filled a folder, None if they are not recorded."""
    settings = (_read_object(folder / RECORD_NAME) or {}).get("settings")
    return settings if isinstance(settings, dict) else None


def identity_of(image: Path) -> str:
    """Return what tells images of one name apart wherever they lie: size and digest of the ends."""
    size = image.stat().st_size
    with image.open("rb") as file:
        ends = file.read(1 << 16)
        file.seek(max(0, size - (1 << 16)))
        ends += file.read()
    return f"{size}-{hashlib.blake2b(ends, digest_size=8).hexdigest()}"


def _changes(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    """Names of the settings that differ from the recorded ones, if any are recorded."""
    return [] if before is None else [key for key in now if before.get(key) != now[key]]


def _digest_of(settings: Mapping[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is none that is whole."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process or thread is in this block."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
