"""A detector whose detections a verifier looks at a second time."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from midog.boxes import MITOTIC_FIGURE, Detections, FloatArray
from midog.errors import ConfigError
from midog.images.image import SlideImage
from midog.images.tiff_mapped import AnyPixels
from midog.inference.detector import Detector
from midog.inference.member import Member
from midog.inference.opened_image import LookedAt, OpenedImage
from midog.inference.orientations import Orientation
from midog.inference.verifier import Verifier
from midog.inference.views import OnTiles
from midog.mpp import MppLike

logger = logging.getLogger(__name__)

_MINOR = {"threshold", "tile", "overlap", "precision", "floor", "runtime"}
"""Settings of a detector that move its scores a little or not at all: a rule that was fitted under
others still holds."""


class VerifiedDetector:
    """Detects as its detector does, and gives each mitotic figure the joint score of both.

    Those of class 2 keep their scores. What then scores at most the detector's floor is dropped.

    Args:
        detector: Whose detections are looked at.
        verifier: On the same device or another.
        threshold: In [0, 1], of the joint score; None: the verifier's, chosen on val.

    Raises:
        ConfigError: The threshold is out of range.
    """

    def __init__(
        self, detector: Detector, verifier: Verifier, *, threshold: float | None = None
    ) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ConfigError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
        self.detector, self.verifier = detector, verifier
        self.threshold = verifier.threshold if threshold is None else threshold
        self.threshold_from = "best joint F1 on val" if threshold is None else "given"
        self.threshold_is_tuned = True
        """Where it is not, a line here says so."""
        self.crops, self.seconds, self.seconds_before = 0, 0.0, 0.0
        """Crops that were looked at so far, the time that it took, and that of the detector."""
        if identity_of(detector.settings()) != verifier.detector:
            logger.warning(
                "the verifier's rule and threshold were fitted for another detector: the joint"
                " scores are not calibrated for this one; train a verifier of it"
            )

    @property
    def info(self) -> dict[str, Any]:
        """Further values of the detector's model.json."""
        return self.detector.info

    @property
    def members(self) -> tuple[Member, ...]:
        """The detector's networks."""
        return self.detector.members

    @property
    def orientations(self) -> tuple[Orientation, ...]:
        """Those in which the detector sees its tiles; crops are seen in one."""
        return self.detector.orientations

    @property
    def views(self) -> int:
        """How often the detector looks at an image."""
        return self.detector.views

    def __call__(
        self, image: Path | str | AnyPixels | SlideImage, *, mpp: MppLike | None = None
    ) -> Detections:
        """Detect figures in an image; arguments, result and errors as of a Detector."""
        with self.open(image, mpp=mpp) as opened:
            return self.detect(opened)

    def open(
        self,
        image: Path | str | AnyPixels | SlideImage,
        *,
        mpp: MppLike | None = None,
        looked_at: LookedAt | None = None,
    ) -> OpenedImage:
        """Open an image for `detect`; see `Detector.open`."""
        return self.detector.open(image, mpp=mpp, looked_at=looked_at)

    def detect(self, opened: OpenedImage, progress: OnTiles | None = None) -> Detections:
        """Detect figures in an image from `open`, once."""
        start = time.perf_counter()
        detections = self.detector.detect(opened, progress)
        began = time.perf_counter()
        figures = np.flatnonzero(detections.labels == MITOTIC_FIGURE)
        centres = detections.centers[figures]
        assert isinstance(opened.image, SlideImage)
        logits = self.verifier.logits(opened.image, opened.mpp, centres)
        scores = detections.scores.copy()
        scores[figures] = self.verifier.rule(scores[figures], logits)
        self.crops += len(figures)
        self.seconds += time.perf_counter() - began
        self.seconds_before += began - start
        return with_scores(detections, scores, self.detector.inference.floor)

    @property
    def cost(self) -> str:
        """What the second look took so far, in words."""
        return (
            f"second look: {self.crops} crops in {self.seconds:.1f} s, after"
            f" {self.seconds_before:.1f} s of the detector"
        )

    def settings(self) -> dict[str, Any]:
        """What decides the detections in an image; see `Detector.settings`."""
        own = {"threshold": self.threshold, "verifier": self.verifier.settings()}
        return {**self.detector.settings(), **own}


def with_scores(detections: Detections, scores: FloatArray, floor: float) -> Detections:
    """Return detections with other scores, best first, those of at most `floor` left out.

    Args:
        detections: N of them.
        scores: (N,) float32 in [0, 1], the new ones.
        floor: In [0, 1].
    """
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > np.float32(floor)]
    return Detections(detections.boxes[order], scores[order], detections.labels[order])


def identity_of(settings: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits of what makes a detector this one.

    Args:
        settings: Of the detector (`Detector.settings`). Threshold, tiles, precision and floor do
            not matter.
    """
    text = json.dumps(_without_minor(settings), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _without_minor(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_minor(value) for key, value in tree.items() if key not in _MINOR}
    return [_without_minor(value) for value in tree] if isinstance(tree, list) else tree
