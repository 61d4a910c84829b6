"""StoredRows: what is done of a heat map, on the disk, so that a killed process loses little."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from midog.boxes import FloatArray
from midog.errors import DetectionsError
from midog.files import read_bytes, replace_bytes, sweep_parts

_DIGEST = 16


class StoredRows:
    """A folder with a file for each row of blocks of a map that is done.

    Each file has a digest of its values and of what they were made from: one that is cut short, or
    was made from another image, model or setting, counts as not done.

    Args:
        folder: Of one map alone; made when something is stored.
        made_from: Names image, model and settings.
    """

    def __init__(self, folder: Path, made_from: str) -> None:
        self.folder, self._key = folder, made_from.encode()
        sweep_parts(folder, alone=True)

    def load(self, top: int, shape: tuple[int, int]) -> FloatArray | None:
        """Return the values from row `top` of the map on, (h, w) float32; None: not done."""
        try:
            content = read_bytes(self._path(top), DetectionsError)
        except DetectionsError:
            return None
        digest, values = content[:_DIGEST], content[_DIGEST:]
        if digest != self._digest(top, values) or len(values) != 4 * shape[0] * shape[1]:
            return None
        return np.frombuffer(values, "<f4").reshape(shape).astype(np.float32)

    def save(self, top: int, values: FloatArray) -> None:
        """Store values (h, w) float32 from row `top` of the map on; they survive a power cut.

        Raises:
            DetectionsError: They cannot be written.
        """
        content = values.astype("<f4").tobytes()
        replace_bytes(
            self._path(top), self._digest(top, content) + content, DetectionsError, parents=True
        )

    def delete(self) -> None:
        """Delete the folder, and the one above it if that is empty then."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            os.rmdir(self.folder.parent)

    def _path(self, top: int) -> Path:
        return self.folder / f"rows-{top:07d}"

    def _digest(self, top: int, content: bytes) -> bytes:
        digest = hashlib.blake2b(self._key, digest_size=_DIGEST, person=b"midog heat map")
        digest.update(f"\0{top}\0".encode())
        digest.update(content)
        return digest.digest()
