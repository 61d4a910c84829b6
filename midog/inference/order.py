"""What detection in many images is asked for, as plain values that can be sent to any process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midog.inference.atypical import AtypicalClassifier
from midog.inference.batch import Work
from midog.inference.detector import Detector
from midog.inference.detector_choice import DetectorChoice
from midog.inference.jobs import Job
from midog.inference.tissue_tiles import TissueSearch
from midog.inference.verified import VerifiedDetector
from midog.metrics.hotspot import HotspotSettings


@dataclass(frozen=True)
class Order:
    """Images, a detector and a folder; whoever is sent it may do any share of the images.

    Attributes:
        choice: The detector.
        jobs: All images that processes fill the folder with.
        out, formats, tissue, hotspot, overwrite: As of `Work.open`.
        atypical: Folder of a classifier that tells atypical figures; None: nothing does. It runs
            where the detector runs.
    """

    choice: DetectorChoice
    jobs: Sequence[Job]
    out: Path
    formats: Sequence[str] = ("challenge",)
    tissue: TissueSearch | None = None
    hotspot: HotspotSettings | None = None
    overwrite: bool = False
    atypical: Path | None = None

    def open(self, detector: Detector | VerifiedDetector) -> Work:
        """Open the folder for the loaded detector; see `Work.open`.

        Raises:
            WeightsError: As of `AtypicalClassifier.load`.
        """
        atypical = None
        if self.atypical is not None:
            atypical = AtypicalClassifier.load(self.atypical, device=self.choice.device)
        return Work.open(
            self.jobs,
            detector,
            self.out,
            formats=self.formats,
            tissue=self.tissue,
            hotspot=self.hotspot,
            atypical=atypical,
            overwrite=self.overwrite,
        )
