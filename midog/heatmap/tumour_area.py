"""TumourArea: where figures are counted, by the heat map of a classifier of patches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from midog.errors import ConfigError, ImageError
from midog.heatmap.make_maps import MapMaker
from midog.heatmap.map_tiff import read_map
from midog.inference.image_identity import digest_of_file
from midog.inference.jobs import Job
from midog.inference.model_folder import WEIGHTS
from midog.inference.output_entries import MAP_ENDING
from midog.inference.patch_classifier import PatchClassifier
from midog.inference.tissue_tiles import TissueSearch
from midog.mpp import MppLike
from midog.tissue.mask import TissueMask


@dataclass(frozen=True)
class TumourArea:
    """The part of a slide where a classifier of patches sees its second class, such as tumour.

    Attributes:
        model: Run or model folder of the classifier.
        folder: Where its heat maps are, and stay: one that is whole is not made again.
        threshold: In [0, 1], the least value that counts; None: the model's.
        device: Where it runs.

    Raises:
        ConfigError: The threshold is out of range.
    """

    model: Path
    folder: Path
    threshold: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(
                f"threshold {self.threshold} is no probability",
                "give {within_threshold} from 0 to 1",
                {"within_threshold": None},
            )

    @property
    def classifier(self) -> PatchClassifier:
        """The classifier, loaded once in a process.

        Raises:
            WeightsError: It is missing, damaged or of another task.
            DeviceError: The device does not exist.
        """
        return _loaded(self.model, self.device)

    @property
    def least(self) -> float:
        """The least value that counts."""
        return self.classifier.threshold if self.threshold is None else self.threshold

    def __str__(self) -> str:
        """What it is, in words."""
        return f"where {self.classifier.classes[1]} is {self.least:.3f} or more, by {self.model}"

    def settings(self) -> dict[str, Any]:
        """What decides the area, as plain JSON values; the model by its weights."""
        weights = digest_of_file(self.classifier.folder / WEIGHTS)
        return {"within": {"model": weights, "threshold": self.least}}

    def mask(self, path: Path, name: str, mpp: MppLike | None, tissue: TissueSearch) -> TissueMask:
        """Return the area of a slide, by its heat map, which is made where it is missing.

        Args:
            path: The slide.
            name: Of it in outputs.
            mpp: um/px; overrules what the file states.
            tissue: Where the classifier looks.

        Raises:
            MidogError: The map cannot be made.
            ImageError: Nothing in it counts.
        """
        job = Job(path, mpp, file_name=name)
        outcome = MapMaker(self.classifier, self.folder, tissue=tissue).make([job])
        if job.name in outcome.failed:
            raise outcome.failed[job.name]
        file = self.folder / f"{job.stem}{MAP_ENDING}"
        heat_map = read_map(file)
        if not heat_map.over(self.least).any():
            raise ImageError(
                f"{name}: no {heat_map.name}: nothing in {file} reaches {self.least:.3f}, the"
                f" highest is {heat_map.slide_score:.3f}",
                "look at the map; a lower {within_threshold} takes more, and without {within}"
                " figures are counted everywhere",
                {"within_threshold": None, "within": None},
            )
        return heat_map.as_mask(f"{self.least:.3f} or more in {file}", self.least)


@lru_cache(maxsize=2)
def _loaded(model: Path, device: str) -> PatchClassifier:
    return PatchClassifier.load(model, device=device)
