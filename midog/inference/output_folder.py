"""The folder that detections are written to: how each of its files was made, so that none is taken
for another."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midog.errors import DetectionsError
from midog.files import replace_text, to_json
from midog.formats.registry import FORMATS

RECORD_NAME = ".midog-infer.json"
"""File in the folder: settings of the detector; which image each was, and the um/px given for it
(null: its own)."""


class OutputFolder:
    """A folder of detections of one detector.

    settings: what decides the detections (`Detector.settings`). stems: of the images that are to be
    done now. Raises DetectionsError where the folder holds detections of other settings, unless
    `overwrite`; and even then where some of them belong to other images, which would stay and be
    scored as this detector's. Any thread may call it.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], stems: Sequence[str], *, overwrite: bool
    ) -> None:
        self.path, self.settings, self.overwrite = path, settings, overwrite
        self._changing = threading.Lock()
        path.mkdir(parents=True, exist_ok=True)
        before = self._read()
        changed = [
            key for key in settings if before.get("settings", settings).get(key) != settings[key]
        ]
        if changed and not overwrite:
            raise DetectionsError(
                f"{path}/ holds detections made with another {', '.join(changed)}",
                "choose another --out, or --overwrite them",
            )
        others = sorted(set(before.get("made", {})) - set(stems)) if changed else []
        if others:
            raise DetectionsError(
                f"{path}/ holds detections of {len(others)} other images ({others[0]}, …) made with"
                f" another {', '.join(changed)}",
                "choose another --out, or delete the folder",
            )
        self.made: dict[str, dict[str, Any]] = {} if changed else dict(before.get("made", {}))
        if changed:
            for stem in stems:
                self._unlink(stem)
        self._write()  # a folder that is whole may lie on a disk that cannot be written to

    def targets(self, stem: str, formats: Sequence[str]) -> list[Path]:
        """Files of an image, one per format."""
        return [self.path / f"{stem}{FORMATS[kind].ending}" for kind in formats]

    def is_done(self, image: Path, mpp: float | None, formats: Sequence[str]) -> bool:
        """Whether all files of an image are there, made from these pixels with that um/px.

        Raises DetectionsError where they were made from another image of the same name.
        """
        if self.overwrite or image.stem not in self.made:
            return False
        before = self.made[image.stem]
        if image.is_file() and before["image"] != identity_of(image):
            raise DetectionsError(
                f"{self.path}/ holds detections of another image named {image.name}",
                "choose another --out, or --overwrite them",
            )
        return before["mpp"] == mpp and all(
            path.is_file() for path in self.targets(image.stem, formats)
        )

    def begin(self, image: Path, mpp: float | None) -> None:
        """Forget what is not what will be made: a file that then fails must not be taken for
        done."""
        with self._changing:
            before = self.made.get(image.stem)
            if self.overwrite or (before is not None and before["mpp"] != mpp):
                self._unlink(image.stem)

    def finish(self, image: Path, mpp: float | None) -> None:
        """Note that the files of an image are whole."""
        identity = identity_of(image)
        with self._changing:
            self.made[image.stem] = {"image": identity, "mpp": mpp}
            self._write()

    def _unlink(self, stem: str) -> None:
        self.made.pop(stem, None)
        for path in self.targets(stem, tuple(FORMATS)):
            path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads((self.path / RECORD_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write(self) -> None:
        """Unless it is what the file says."""
        record = {"settings": self.settings, "made": self.made}
        if record != self._read():
            replace_text(self.path / RECORD_NAME, to_json(record, indent=0), DetectionsError)


def identity_of(image: Path) -> str:
    """Tells images of one name apart wherever they lie: their size and a digest of their ends."""
    size = image.stat().st_size
    with image.open("rb") as file:
        ends = file.read(1 << 16)
        file.seek(max(0, size - (1 << 16)))
        ends += file.read()
    return f"{size}-{hashlib.blake2b(ends, digest_size=8).hexdigest()}"
