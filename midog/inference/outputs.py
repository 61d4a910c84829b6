"""The folder that detections are written to: how each of its files was made, so that none is taken for another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midog.errors import DetectionsError
from midog.inference.export import FORMATS

RECORD_NAME = ".midog-infer.json"
"""File in the folder: settings of the detector, and um/px given for each image (null: its own)."""


class OutputFolder:
    """A folder of detections of one detector.

    settings: what decides the detections (`Detector.settings`). stems: of the images that are to be done now.
    Raises DetectionsError where the folder holds detections of other settings, unless `overwrite`; and even then where
    some of them belong to other images, which would stay and be scored as this detector's.
    """

    def __init__(self, path: Path, settings: dict[str, Any], stems: Sequence[str], *, overwrite: bool) -> None:
        self.path, self.settings, self.overwrite = path, settings, overwrite
        path.mkdir(parents=True, exist_ok=True)
        before = self._read()
        changed = [key for key in settings if before.get("settings", settings).get(key) != settings[key]]
        if changed and not overwrite:
            raise DetectionsError(
                f"{path}/ holds detections made with another {', '.join(changed)}",
                "choose another --out, or --overwrite them",
            )
        others = sorted(set(before.get("mpp", {})) - set(stems)) if changed else []
        if others:
            raise DetectionsError(
                f"{path}/ holds detections of {len(others)} other images ({others[0]}, …) made with another "
                f"{', '.join(changed)}",
                "choose another --out, or delete the folder",
            )
        self.mpp: dict[str, float | None] = {} if changed else dict(before.get("mpp", {}))
        if changed:
            for stem in stems:
                self._unlink(stem)
        self._write()

    def targets(self, stem: str, formats: Sequence[str]) -> list[Path]:
        """Files of an image, one per format."""
        return [self.path / f"{stem}{FORMATS[kind]}" for kind in formats]

    def is_done(self, stem: str, mpp: float | None, formats: Sequence[str]) -> bool:
        """Whether all files of an image are there, made with that um/px."""
        same = stem in self.mpp and self.mpp[stem] == mpp
        return same and not self.overwrite and all(path.is_file() for path in self.targets(stem, formats))

    def begin(self, stem: str, mpp: float | None) -> None:
        """Forget what is not what will be made: a file that then fails must not be taken for done."""
        if self.overwrite or self.mpp.get(stem, mpp) != mpp:
            self._unlink(stem)

    def finish(self, stem: str, mpp: float | None) -> None:
        """Note that the files of an image are whole."""
        self.mpp[stem] = mpp
        self._write()

    def _unlink(self, stem: str) -> None:
        self.mpp.pop(stem, None)
        for path in self.targets(stem, tuple(FORMATS)):
            path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads((self.path / RECORD_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write(self) -> None:
        part = self.path / f"{RECORD_NAME}.part"
        part.write_text(json.dumps({"settings": self.settings, "mpp": self.mpp}, indent=0) + "\n", encoding="utf-8")
        part.replace(self.path / RECORD_NAME)
