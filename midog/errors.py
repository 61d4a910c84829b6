"""MidogError and its kinds: one line that says what is wrong, which value, and what to do."""

from __future__ import annotations


class MidogError(Exception):
    """Anything a user can mend. `str(error)` is one line; the command line prints it and exits with
    1.

    what: what is wrong and where, with the value ("data/split.csv line 7: split 'trian' is not one
    of …").
    fix: what to do about it, an imperative ("write train, val, test or unlabelled"); may be empty.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        line = f"{self.what.rstrip('.')}; {self.fix}" if self.fix else self.what
        return " ".join(line.split())


class ConfigError(MidogError):
    """A setting that is unknown, of the wrong type, or out of range."""


class DataError(MidogError):
    """A data folder, annotation file or split that cannot be used."""


class ImageError(MidogError):
    """An image or slide that cannot be opened, read or placed (no mpp)."""


class DownloadError(MidogError):
    """An archive that cannot be fetched or whose bytes are not the published ones."""


class WeightsError(MidogError):
    """Weights or a model folder that cannot be found, fetched, trusted or fitted."""


class CheckpointError(MidogError):
    """A run or a checkpoint that cannot be gone on with."""


class TrainingError(MidogError):
    """Training that cannot go on: a non-finite loss, nothing to learn from, no memory."""


class DetectionsError(MidogError):
    """A detections file or folder that cannot be read, written or scored."""


class DeviceError(MidogError):
    """A device that is not there or is out of memory."""
