"""Reads the detections of each ROI and matches them as the challenge does."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.mpp import area_mm2, is_unusual, roi_mpp
from midog.data.roi import Roi
from midog.errors import DetectionsError, ImageError
from midog.evaluation.detection_files import read_detections, some_of
from midog.evaluation.uncounted import DEFAULT_PROBABILITY, PlacedPoints, remark
from midog.formats.shared import Detected, DetectedPixels, DetectedPoints
from midog.metrics.counts import Counts
from midog.metrics.ignored import is_ignored
from midog.metrics.matching import RADIUS_MM, Matches, match_points
from midog.metrics.points import Points, RoiPoints, centres_mm
from midog.mpp import Mpp, MppLike, StatedMpp, warn_once_of

logger = logging.getLogger(__name__)

_Size = tuple[int | None, int | None]


@dataclass(frozen=True, eq=False)
class ScoredRoi:
    """One ROI, its detections, and how those that count were matched.

    Attributes:
        roi: The ROI.
        points: True figures, and all detections with their scores.
        counted: (M,) bool, the detections that count.
        matches: Of the figures with the detections that count, in their order.
        imposters_mm: (K, 2) float64, x y in mm.
        mpp: um/px along x and y, None where it is not known.
        area_mm2: Of the whole image, NaN where it is not known.
        size_px: Width and height of the image, level-0 px; NaN where it is not known.
        without_probability: Detections whose score is DEFAULT_PROBABILITY, as they state none.
    """

    roi: Roi
    points: RoiPoints
    counted: NDArray[np.bool_]
    matches: Matches
    imposters_mm: Points
    mpp: Mpp | None
    area_mm2: float
    size_px: tuple[float, float]
    without_probability: int = 0

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the image; NaN where it is not known."""
        width, height = self.size_px
        x, y = (math.nan, math.nan) if self.mpp is None else self.mpp
        return width * x / 1000, height * y / 1000

    @property
    def counts(self) -> Counts:
        """True positives, false positives and false negatives."""
        return Counts(self.matches.tp, self.matches.fp, self.matches.fn)

    @property
    def false_alarms(self) -> NDArray[np.intp]:
        """Indices into `points` of detections that count and match no figure."""
        matched = self.matches.truth_to_detection[self.matches.truth_to_detection >= 0]
        return np.delete(np.flatnonzero(self.counted), matched)

    @property
    def missed(self) -> NDArray[np.intp]:
        """Indices of the figures that no detection was matched to."""
        return np.flatnonzero(self.matches.truth_to_detection < 0)


def score_rois(
    detections: Path | str,
    rois: Sequence[Roi],
    *,
    threshold: float | None = None,
    mpp: MppLike | None = None,
    allow_missing: bool = False,
) -> list[ScoredRoi]:
    """Read and match the detections of each ROI; arguments and errors as of `evaluate`."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise DetectionsError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
    _check_rois(rois)
    detected = read_detections(Path(detections), rois, allow_missing=allow_missing)
    pairs = [
        _score(roi, of_roi, threshold, mpp) for roi, of_roi in zip(rois, detected, strict=True)
    ]
    scored = [one for one, _ in pairs]
    left: int = sum(len(of_roi.scores) for of_roi in detected)
    left -= sum(len(of_roi.scores) for _, of_roi in pairs)
    if left:
        logger.info("%d points lie in boxes to ignore and count neither as true nor false", left)
    warn_of_odd_points(detections, scored, [of_roi for _, of_roi in pairs], threshold)
    return scored


def warn_of_odd_points(
    detections: Path | str,
    scored: Sequence[ScoredRoi],
    detected: Sequence[DetectedPoints],
    threshold: float | None,
) -> None:
    """Warn of points that do not count as their author may think.

    Args:
        detections: Where they come from, for the warning.
        scored: The ROIs.
        detected: Their points, as they were read.
        threshold: From which points count; None: those named 'mitotic figure' do.
    """
    placed = [
        PlacedPoints(of_roi, one.counted, one.size_px, one.size_mm)
        for one, of_roi in zip(scored, detected, strict=True)
    ]
    if odd := remark(placed, threshold):
        logger.warning("%s: %s", detections, odd)


def as_scored(
    roi: Roi,
    figures: Points,
    detected: DetectedPoints,
    threshold: float | None,
    *,
    imposters: Points | None = None,
    mpp: Mpp | None = None,
    size_px: tuple[float, float] = (math.nan, math.nan),
) -> ScoredRoi:
    """Match the detections of an ROI.

    Args:
        roi: The ROI.
        figures: (N, 2) float64, x y in mm.
        detected: Its points.
        threshold: From which points count; None: those named 'mitotic figure' do.
        imposters: (K, 2) float64, x y in mm; None: none are known.
        mpp: um/px; None: not known.
        size_px: Width and height of the image, level-0 px; NaN where it is not known.
    """
    unstated = np.isnan(detected.scores)
    scores = np.where(unstated, DEFAULT_PROBABILITY, detected.scores)
    points = RoiPoints(figures, detected.points_mm, scores)
    counted = detected.is_figure if threshold is None else scores >= threshold
    width, height = (None if math.isnan(side) else int(side) for side in size_px)
    return ScoredRoi(
        roi,
        points,
        counted,
        match_points(points.truth_mm, points.detected_mm[counted]),
        np.zeros((0, 2)) if imposters is None else imposters,
        mpp,
        area_mm2(width, height, mpp),
        size_px,
        int(unstated.sum()),
    )


def _score(
    roi: Roi, read: Detected, threshold: float | None, mpp: MppLike | None
) -> tuple[ScoredRoi, DetectedPoints]:
    """The ROI with its detections matched, and those that do not lie in boxes to ignore."""
    are_px = isinstance(read, DetectedPixels) and len(read.scores) > 0
    value, (width, height) = _size_of(roi, mpp, are_px)
    detected = _in_mm(roi, read, value)
    figures, imposters = (
        centres_mm(roi.boxes.of_class(label), value) for label in (MITOTIC_FIGURE, IMPOSTER)
    )
    detected = detected.select(~is_ignored(detected.points_mm, figures, roi.ignored, value))
    size = math.nan if width is None else width, math.nan if height is None else height
    one = as_scored(roi, figures, detected, threshold, imposters=imposters, mpp=value, size_px=size)
    return one, detected


def _in_mm(roi: Roi, read: Detected, mpp: Mpp | None) -> DetectedPoints:
    """Detections in mm of the image, whose bounds are looked up where px count from them."""
    from midog.images.image import SLIDE_SUFFIXES

    if isinstance(read, DetectedPoints):
        return read
    origin = (0, 0)
    if roi.path is not None and roi.path.suffix.lower() in SLIDE_SUFFIXES:
        origin = _facts_of(roi.path, _changed_ns(roi.path))[2]
    return read.in_mm(mpp or Mpp.of(1), origin)  # without an mpp there are no points


def _size_of(roi: Roi, given: MppLike | None, are_px: bool = False) -> tuple[Mpp | None, _Size]:
    """um/px (else None) and width and height of an ROI, as stated or, where that is missing, as its
    image states.

    The image is opened though all be stated: what it states otherwise is warned of. Raises
    ImageError where the ROI has figures, or its detections are px, and its mpp is not known.
    """
    needed = are_px or roi.boxes.has_figures or len(roi.ignored) > 0
    is_stated = roi.mpp is not None or given is not None
    width, height, in_image = roi.width, roi.height, StatedMpp()
    if roi.path is not None:
        try:
            of_image, in_image, _ = _facts_of(roi.path, _changed_ns(roi.path))
            width, height = width or of_image[0], height or of_image[1]
        except ImageError:
            if needed and not is_stated:
                raise
    if not needed and not is_stated and in_image.mpp is None:
        return None, (width, height)
    mpp = roi_mpp(roi, in_image, given)
    if is_unusual(mpp):
        text = "%s: at %s um per px a match is within %.3g px: is that its true mpp?"
        warn_once_of(f"{mpp} unusual", text, roi.file_name, mpp, RADIUS_MM * 1000 / max(mpp))
    return mpp, (width, height)


def _changed_ns(path: Path) -> int:
    """When a file was changed; 0 for one that is missing, which opening it reports."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


@functools.lru_cache(maxsize=4096)
def _facts_of(path: Path, changed_ns: int) -> tuple[tuple[int, int], StatedMpp, tuple[int, int]]:
    """Size, mpp and corner of the bounds of an image; many runs are scored on the same images.

    changed_ns: when it was changed, so that a changed one is read again.
    """
    from midog.images.image import open_image  # the only need for images here

    with open_image(path) as image:
        return (image.width, image.height), image.stated_mpp, image.origin


def _check_rois(rois: Sequence[Roi]) -> None:
    if not rois:
        raise DetectionsError("there are no ROIs to score", "choose another subset or split")
    unlabelled = [roi.file_name for roi in rois if roi.split == "unlabelled"]
    if unlabelled:
        raise DetectionsError(
            f"{some_of(unlabelled)} have the role unlabelled: their figures are not known",
            "score labelled ROIs only",
        )
