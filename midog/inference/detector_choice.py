"""Which detector: its folders and settings as plain values, from which any process loads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from midog.inference.detector import Detector
from midog.inference.verified import VerifiedDetector
from midog.inference.verifier import load_verifier


@dataclass(frozen=True)
class DetectorChoice:
    """A detector, with a verifier or without, before it is loaded.

    Attributes:
        models: Its folders, as of `Detector.load`.
        verifier: Folder of a second look; None: none.
        threshold: Of the scores, with a verifier of the joint ones; None: the stored one.
        device, tile, overlap, batch_size, precision, workers, orientations, calibrate: As of
            `Detector.load`.
    """

    models: tuple[Path, ...]
    verifier: Path | None = None
    threshold: float | None = None
    device: str = "auto"
    tile: int | Literal["auto"] | None = None
    overlap: int | None = None
    batch_size: int | Literal["auto"] | None = None
    precision: str | None = None
    workers: int = 2
    orientations: int = 1
    calibrate: bool = False

    def load(self) -> Detector | VerifiedDetector:
        """Load it.

        Raises:
            WeightsError: A folder is missing or damaged, or models do not fit each other.
            ConfigError: A setting is out of range.
            DeviceError: The device does not exist.
        """
        second = None if self.verifier is None else load_verifier(self.verifier, device=self.device)
        detector = Detector.load(
            self.models,
            device=self.device,
            threshold=None if second else self.threshold,
            tile=self.tile,
            overlap=self.overlap,
            batch_size=self.batch_size,
            precision=self.precision,
            workers=self.workers,
            orientations=self.orientations,
            calibrate=self.calibrate,
        )
        if second is None:
            return detector
        return VerifiedDetector(detector, second, threshold=self.threshold)

    def __str__(self) -> str:
        """Its folders in words."""
        also = "" if self.verifier is None else f", verifier {self.verifier}"
        return " + ".join(map(str, self.models)) + also
