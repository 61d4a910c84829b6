"""The folder that detections are written to: of one detector, whoever fills it, and when."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from midog.errors import DetectionsError
from midog.files import cannot_write, replace_text, sweep_parts
from midog.formats.registry import FORMATS
from midog.inference.image_identity import digest_of_file, identity_of, state_of
from midog.inference.output_entries import (
    ENTRIES_NAME,
    Entry,
    entry_path,
    owners_of,
    read_entry,
    stems_in,
    write_entry,
    written_folders,
)
from midog.json_text import checked, read_json, to_json
from midog.locks import locked
from midog.mpp import MppLike

logger = logging.getLogger(__name__)

RECORD_NAME = ".midog-infer.json"
"""File in the folder that holds the settings of the detector, and their digest."""


@dataclass(frozen=True)
class _Record:
    """The settings of the detector, a digest by which damage is noticed, and in words how its
    threshold was chosen."""

    settings: dict[str, Any]
    digest: str
    threshold_from: str = ""


class OutputFolder:
    """A folder of detections of one detector, which several processes may fill at once.

    An image is done when its entry and its files are whole. Entries are read when they are asked
    for, so that what other processes finish is seen. Any thread may call it. An image is named by
    its stem, with the folders that it lies in: 001, case2/y.

    Args:
        path: The folder; made if it does not exist.
        settings: What decides the detections (`Detector.settings`), as JSON has it.
        stems: Of the images that are to be done now.
        overwrite: Do images again that are done, also those of other settings.
        threshold_from: How the threshold was chosen, in words, for whoever scores the folder.

    Raises:
        DetectionsError: If the folder holds detections of other settings, unless `overwrite`; and
            even then if some of them belong to other images, which would stay and be scored as this
            detector's.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        stems: Sequence[str],
        *,
        overwrite: bool,
        threshold_from: str = "",
    ) -> None:
        self.path, self.settings, self.overwrite = path, dict(settings), overwrite
        self._threshold_from = threshold_from
        self._entries = path / ENTRIES_NAME
        self._digest = _digest_of(self.settings)
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            for folder in written_folders(path, stems):
                sweep_parts(folder)  # of a process that was killed
            if read_settings(path) == self.settings:
                return  # nothing is written: a whole folder may lie on a read-only disk
            self._entries.mkdir(exist_ok=True)
            with locked(self._entries):
                self._take_over(stems)

    def targets(self, stem: str, formats: Sequence[str]) -> list[Path]:
        """Return the files of an image, one per format."""
        return [self.path / f"{stem}{FORMATS[name].ending}" for name in formats]

    def ignores_case(self) -> bool:
        """Whether the folder's disk takes A.json for a.json."""
        return (self.path / ENTRIES_NAME.swapcase()).is_dir()

    def is_done(self, stem: str, image: Path, mpp: MppLike | None, formats: Sequence[str]) -> bool:
        """Whether all files of an image are whole, made from these pixels with that um/px.

        An image whose files are not as they were written is not done, and a line names the file;
        one that can still be scored was edited: it is kept, and a line says so.

        Raises:
            DetectionsError: If they were made from another image of the same name.
        """
        entry = None if self.overwrite else read_entry(self.path, stem)
        if entry is None:
            return False
        same = not image.exists() or entry.state == state_of(image)
        if not same and entry.image != identity_of(image):
            raise DetectionsError(
                f"{self.path}/ holds detections of another image named {stem}{image.suffix}",
                "choose another {out}, or {overwrite}",
                {"out": None, "overwrite": True},
            )
        targets = zip(formats, self.targets(stem, formats), strict=True)
        return self._is_of(entry, mpp) and all(
            _is_whole(path, name, entry.files.get(name)) for name, path in targets
        )

    def begin(self, stem: str, mpp: MppLike | None, formats: Sequence[str]) -> None:
        """Delete what will be made anew, so that an image that then fails is not taken for done.

        Raises:
            DetectionsError: If another process has begun to overwrite the folder, or a file of
                another image would be replaced.
        """
        changed = _changes(read_settings(self.path), self.settings)
        if changed:
            raise DetectionsError(
                f"another process overwrites {self.path}/ with another {', '.join(changed)}",
                "choose another {out}",
                {"out": None},
            )
        for target in self.targets(stem, formats):
            if self._is_others(target, stem):
                raise DetectionsError(
                    f"{target} holds detections of another image",
                    "choose another {out}",
                    {"out": None},
                )
        entry = read_entry(self.path, stem)
        if self.overwrite or (entry is not None and not self._is_of(entry, mpp)):
            self._delete(stem)

    def finish(
        self, stem: str, image: Path, state: str, mpp: MppLike | None, formats: Sequence[str]
    ) -> None:
        """Record that the files of an image are whole; it is the last thing that is written of it.

        Args:
            stem: Of the image.
            image: Its file.
            state: What `state_of` gave before it was read.
            mpp: um/px given for it; None: its own.
            formats: Of its files.

        Raises:
            DetectionsError: If the entry cannot be written, or the image was changed meanwhile.
        """
        with _writing(self.path):
            targets = zip(formats, self.targets(stem, formats), strict=True)
            files = {name: digest_of_file(path) for name, path in targets}
            identity = identity_of(image)
            if state_of(image) != state:
                raise DetectionsError(f"{image} was changed while it was read", "start again")
            self._entries.mkdir(exist_ok=True)
            with locked(self._entries):  # another process may add a file of another format
                before = read_entry(self.path, stem)
                if before and before.image == identity and self._is_of(before, mpp):
                    files = before.files | files
                entry = Entry(identity, state, mpp, self._digest, files)
                write_entry(self.path, stem, entry)

    def _take_over(self, stems: Sequence[str]) -> None:
        """Record the settings, and delete what other settings made, if that is allowed."""
        changed = _changes(read_settings(self.path), self.settings) or self._unrecorded()
        if changed:
            self._require_overwrite(changed, stems)
            for stem in stems:
                self._delete(stem)
        if (self.path / RECORD_NAME).exists() and read_settings(self.path) is None:
            logger.warning("%s is damaged and made anew", self.path / RECORD_NAME)
        write_settings(self.path, self.settings, self._threshold_from)

    def _unrecorded(self) -> list[str]:
        """What differs where the record is lost, by the digests in the entries."""
        if read_settings(self.path) is not None:
            return []
        entries = [read_entry(self.path, stem) for stem in stems_in(self.path)]
        others = any(entry is not None and entry.settings != self._digest for entry in entries)
        return ["model or setting"] if others else []

    def _require_overwrite(self, changed: Sequence[str], stems: Sequence[str]) -> None:
        if not self.overwrite:
            raise DetectionsError(
                f"{self.path}/ holds detections made with another {', '.join(changed)}",
                "choose another {out}, or {overwrite}",
                {"out": None, "overwrite": True},
            )
        others = sorted(set(stems_in(self.path)) - set(stems))
        if others:
            raise DetectionsError(
                f"{self.path}/ holds detections of {len(others)} other images ({others[0]}, …) made"
                f" with another {', '.join(changed)}",
                "choose another {out}, or delete the folder",
                {"out": None},
            )

    def _is_of(self, entry: Entry, mpp: MppLike | None) -> bool:
        return entry.mpp == mpp and entry.settings == self._digest

    def _is_others(self, path: Path, stem: str) -> bool:
        """Whether a file is one of another image that was done before."""
        return any(owner != stem for owner in owners_of(path, self.path))

    def _delete(self, stem: str) -> None:
        """Delete an image's entry, then its files."""
        targets = self.targets(stem, tuple(FORMATS))
        own = [path for path in targets if not self._is_others(path, stem)]
        with _writing(self.path):
            for path in (entry_path(self.path, stem), *own):
                path.unlink(missing_ok=True)


def read_settings(folder: Path) -> dict[str, Any] | None:
    """Return the settings of the detector that filled a folder, None if they are not recorded."""
    record = _read_record(folder)
    return None if record is None else record.settings


def threshold_origin(folder: Path) -> str:
    """Return how the threshold of a folder's detections was chosen, in words; "" if it is not
    recorded."""
    record = _read_record(folder)
    return "" if record is None else record.threshold_from


def write_settings(folder: Path, settings: Mapping[str, Any], threshold_from: str = "") -> None:
    """Record the settings of the detector that fills a folder, and how it got its threshold.

    Raises:
        DetectionsError: If the record cannot be written.
    """
    record = _Record(dict(settings), _digest_of(settings), threshold_from)
    replace_text(folder / RECORD_NAME, to_json(asdict(record), indent=0), DetectionsError)


def _read_record(folder: Path) -> _Record | None:
    path = folder / RECORD_NAME
    try:
        record = checked(read_json(path, DetectionsError), _Record, str(path), DetectionsError)
    except DetectionsError:
        return None
    return record if record.digest == _digest_of(record.settings) else None


def _is_whole(path: Path, name: str, digest: str | None) -> bool:
    """Whether a file of a format is as it was written; or, with a line, was edited since."""
    if digest is None or not path.is_file():
        return False
    if digest_of_file(path) == digest:
        return True
    read = FORMATS[name].read
    if read is not None:
        try:
            read(path)
        except DetectionsError:
            pass
        else:
            logger.warning("%s was changed since it was written, and is kept", path)
            return True
    logger.warning("%s is damaged: the image is detected in again", path)
    return False


def _changes(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    """Names of the settings that differ from the recorded ones, if any are recorded."""
    if before is None:
        return []
    changed = [key for key in {**now, **before} if before.get(key) != now.get(key)]
    # of one model and several, what only one of the two states is no difference of its own
    shared = before.keys() & now.keys() | {"members", "orientations", "merge"}
    return [key for key in changed if key in shared] or changed


def _digest_of(settings: Mapping[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the system reports of a folder into one kind of error."""
    try:
        yield
    except OSError as error:
        raise cannot_write(folder, error, DetectionsError) from None
