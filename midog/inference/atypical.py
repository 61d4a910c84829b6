"""AtypicalClassifier: tells atypical mitotic figures from normal ones, at points or in crops."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from midog.boxes import MITOTIC_FIGURE, Detections
from midog.errors import ConfigError, WeightsError
from midog.formats.atypical import ATYPICAL, AtypicalScores
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.inference.crop_logits import crop_logits
from midog.inference.model_folder import weights_digest, weights_of
from midog.inference.patch_classifier import PatchClassifier, probabilities_of
from midog.inference.point_crops import point_crops
from midog.metrics.points import Values
from midog.mpp import Mpp

logger = logging.getLogger(__name__)

_UNNAMED = ("0", "1")


@dataclass(frozen=True, eq=False)
class AtypicalClassifier:
    """A classifier of patches, one of whose classes is that of atypical mitotic figures.

    classifier: of patches. atypical: which of its classes that is, 0 or 1. threshold: in [0, 1],
    the least probability at which a figure counts as atypical. threshold_from: how it was chosen.
    """

    classifier: PatchClassifier
    atypical: int
    threshold: float
    threshold_from: str

    @classmethod
    def load(
        cls, path: Path | str, *, device: str = "auto", threshold: float | None = None
    ) -> Self:
        """Load the classifier of a model folder, or of the `best` in a run's folder.

        Args:
            path: The folder.
            device: auto, cpu, cuda, ….
            threshold: Of the probability of atypical; None: that chosen on valid.

        Raises:
            WeightsError: As of `PatchClassifier.load`, or no class is named atypical.
            ConfigError: The threshold is out of range.
        """
        if threshold is not None and not 0 <= threshold <= 1:
            raise ConfigError(f"threshold {threshold} is no probability", "give one from 0 to 1")
        classifier = PatchClassifier.load(path, device=device)
        number = atypical_class(classifier.classes, str(classifier.folder))
        chosen = classifier.threshold if number else 1 - classifier.threshold
        if threshold is None:
            return cls(classifier, number, chosen, "best balanced accuracy on valid")
        return cls(classifier, number, threshold, "given")

    def at(self, image: SlideImage, mpp: Mpp, centres: NDArray[np.float64]) -> Values:
        """Return how probable it is that figures are atypical.

        Args:
            image: Open.
            mpp: um/px of the image.
            centres: (N, 2) x y of the figures, level-0 px.

        Returns:
            (N,) float64 in [0, 1].

        Raises:
            ImageError: Pixels cannot be read.
            DeviceError: Memory runs out.
        """
        return self._probabilities([(image, mpp, centres)])

    def of_figures(
        self, image: SlideImage, mpp: Mpp, detections: Detections, threshold: float
    ) -> AtypicalScores:
        """Tell the figures of an image apart; arguments and errors as of `at`.

        Args:
            detections: In the image.
            threshold: In [0, 1]; mitotic figures of that score or more are looked at.
        """
        figures = np.flatnonzero(
            (detections.labels == MITOTIC_FIGURE) & (detections.scores >= np.float32(threshold))
        )
        probabilities = np.full(len(detections), np.nan, np.float32)
        probabilities[figures] = self.at(image, mpp, detections.centers[figures])
        return AtypicalScores(probabilities, self.threshold)

    def of_crops(self, crops: Sequence[SlideImage], mpp: Sequence[Mpp]) -> Values:
        """Return how probable it is that the figure in the middle of each crop is atypical.

        Args:
            crops: N of them, of any size; a part of the model's size is seen, mirrored at the edges
                of a smaller crop.
            mpp: um/px of each.

        Returns:
            (N,) float64 in [0, 1].

        Raises:
            DeviceError: Memory runs out.
        """
        return self._probabilities(
            [
                (crop, own, np.array([[crop.width / 2, crop.height / 2]]))
                for crop, own in zip(crops, mpp, strict=True)
            ]
        )

    def _probabilities(
        self, places: Sequence[tuple[SlideImage, Mpp, NDArray[np.float64]]]
    ) -> Values:
        own = self.classifier
        cutters = [
            point_crops(image, mpp, centres, side=own.side, border="mirrored", model_mpp=own.mpp)
            for image, mpp, centres in places
        ]
        numbers = [
            (at, of_it) for at, (_, _, own) in enumerate(places) for of_it in range(len(own))
        ]

        def cut(number: int, out: Pixels) -> None:
            at, of_it = numbers[number]
            cutters[at](of_it, out)

        logits = crop_logits(own.network, cut, len(numbers), own.side, own.device)
        return probabilities_of(logits if self.atypical else -logits)

    def settings(self) -> dict[str, Any]:
        """What decides its answers, as plain JSON values; weights as a digest."""
        return {
            "atypical": {
                "weights": weights_digest(weights_of(self.classifier.network)),
                "class": self.atypical,
                "crop": self.classifier.side,
                "mpp": self.classifier.mpp,
                "threshold": self.threshold,
            }
        }


def atypical_class(classes: tuple[str, str], name: str) -> int:
    """Return which of two classes is that of atypical figures, 0 or 1.

    Where classes have no names it is that of label 1, as in AMi-Br, and a line says so.

    Args:
        classes: Names of labels 0 and 1.
        name: Of the model, for the line and the error.

    Raises:
        WeightsError: They are named otherwise.
    """
    named = [own.strip().casefold() == ATYPICAL for own in classes]
    if sum(named) == 1:
        return named.index(True)
    if classes == _UNNAMED:
        logger.warning("%s: its classes have no names; label 1 is taken for atypical", name)
        return 1
    raise WeightsError(
        f"{name} tells {classes[1]} from {classes[0]}, not atypical figures from normal ones",
        "train one with --classes normal,atypical",
    )
