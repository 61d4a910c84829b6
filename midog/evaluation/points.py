"""Reads the detections of each ROI and counts them as the challenge does: points, matches,
mistakes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, FloatArray, centers_of
from midog.data.roi import Roi
from midog.errors import DetectionsError, ImageError
from midog.formats.registry import FORMATS, can_be_scored, readers
from midog.formats.shared import DetectedPoints
from midog.metrics.counts import Counts, RoiPoints
from midog.metrics.matching import Matches, Points, match_points

logger = logging.getLogger(__name__)

STRANGERS_NAME = "mitotic-figures.json"
"""The challenge's name of an algorithm's output: STEM/mitotic-figures.json is the ROI STEM's."""
DEFAULT_PROBABILITY = 0.5
"""What a point without probability is taken to have; so does the challenge's own evaluation."""


@dataclass(frozen=True, eq=False)
class ScoredRoi:
    """One ROI, what was found in it, and how what counts was matched.

    points: true figures and all found points with their scores. counted: (M,) bool, the found
    points that count.
    matches: of the figures with the counted points, in their order. imposters_mm: (K, 2).
    mpp: um/px, NaN where it is not known. area_mm2: of the whole image, NaN where it is not known.
    """

    roi: Roi
    points: RoiPoints
    counted: NDArray[np.bool_]
    matches: Matches
    imposters_mm: Points
    mpp: float
    area_mm2: float

    @property
    def counts(self) -> Counts:
        """True positives, false positives and false negatives."""
        return Counts(self.matches.tp, self.matches.fp, self.matches.fn)

    @property
    def false_alarms(self) -> NDArray[np.intp]:
        """Indices into `points` of what counts and is no figure's."""
        counted = np.flatnonzero(self.counted)
        taken = self.matches.truth_to_found[self.matches.truth_to_found >= 0]
        return np.delete(counted, taken)

    @property
    def missed(self) -> NDArray[np.intp]:
        """Indices of the figures that nothing was matched to."""
        return np.flatnonzero(self.matches.truth_to_found < 0)


@dataclass(frozen=True)
class DetectionFile:
    """A file of detections, the stem of its image, and what reads it."""

    stem: str
    path: Path
    read: Callable[[Path], DetectedPoints]


def score_rois(
    detections: Path | str,
    rois: Sequence[Roi],
    *,
    threshold: float | None = None,
    mpp: float | None = None,
    allow_missing: bool = False,
) -> list[ScoredRoi]:
    """Read and match the detections of each ROI; arguments and errors as of `evaluate`."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise DetectionsError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
    _check_rois(rois)
    files = _files_by_stem(Path(detections), rois)
    missing = [roi.file_name for roi in rois if _stem(roi) not in files]
    if missing and not allow_missing:
        raise DetectionsError(
            f"{detections} has no detections for {_some(missing)}",
            "write a file for each ROI, with an empty list `points` where nothing was found, or use"
            " --allow-missing",
        )
    found = [_read(files.get(_stem(roi))) for roi in rois]
    _warn_of_no_probability(found)
    scored = [_score(roi, each, threshold, mpp) for roi, each in zip(rois, found, strict=True)]
    _warn_of_places(scored)
    return scored


def _read(file: DetectionFile | None) -> DetectedPoints:
    if file is None:
        return DetectedPoints(np.zeros((0, 2)), np.zeros(0), np.zeros(0, bool))
    return file.read(file.path)


def _score(
    roi: Roi, found: DetectedPoints, threshold: float | None, mpp: float | None
) -> ScoredRoi:
    value, area = _size_of(roi, mpp)
    figures, imposters = (
        _centres_mm(roi.boxes.of_class(label), value) for label in (MITOTIC_FIGURE, IMPOSTER)
    )
    scores = np.where(np.isnan(found.scores), DEFAULT_PROBABILITY, found.scores)
    points = RoiPoints(figures, found.points_mm, scores)
    counted = found.is_figure if threshold is None else scores >= threshold
    matches = match_points(points.truth_mm, points.found_mm[counted])
    return ScoredRoi(roi, points, counted, matches, imposters, value, area)


def _centres_mm(boxes: FloatArray, mpp: float) -> Points:
    """Centres (N, 2) float64, mm, in file order; none where the um/px is not known."""
    return np.zeros((0, 2)) if math.isnan(mpp) else centers_of(boxes) * mpp / 1000


def _size_of(roi: Roi, mpp: float | None) -> tuple[float, float]:
    """um/px and mm2 of an ROI, as stated or, where that is missing, as its image says; else NaN.

    Raises DetectionsError where the ROI has figures and their um/px is not known.
    """
    needed = bool((roi.boxes.labels == MITOTIC_FIGURE).any())
    value, width, height = mpp if mpp is not None else roi.mpp, roi.width, roi.height
    if roi.path is not None and (value is None or width is None or height is None):
        from midog.images.image import open_image  # the only need for pixels here

        try:
            with open_image(roi.path) as image:
                value = image.mpp if value is None else value
                width, height = width or image.width, height or image.height
        except ImageError:
            if needed and value is None:
                raise
    if value is None and needed:
        raise DetectionsError(
            f"the um/px of {roi.file_name} is not known",
            "give it with --mpp or in a column `mpp` of the split",
        )
    if value is not None and not 0 < value < math.inf:
        raise DetectionsError(
            f"mpp {value} of {roi.file_name} is no size of a pixel", "give um/px, such as 0.25"
        )
    value = math.nan if value is None else value
    return value, width * height * (value / 1000) ** 2 if width and height else math.nan


def _outside(each: ScoredRoi) -> int:
    """Points beyond the image, where its annotated size is known."""
    roi, found = each.roi, each.points.found_mm
    if math.isnan(each.mpp) or roi.width is None or roi.height is None:
        return 0
    size = np.array([roi.width, roi.height]) * each.mpp / 1000
    return int(((found < 0) | (found > size)).any(axis=1).sum())


def _warn_of_places(scored: Sequence[ScoredRoi]) -> None:
    outside, total = sum(map(_outside, scored)), sum(len(each.points.found_mm) for each in scored)
    if outside > total / 10:
        logger.warning(
            "%d of %d points lie outside their image: are they mm, of this mpp?", outside, total
        )


def _warn_of_no_probability(found: Iterable[DetectedPoints]) -> None:
    number = sum(int(np.isnan(each.scores).sum()) for each in found)
    if number:
        logger.warning(
            "%d points have no probability and are taken to have %g", number, DEFAULT_PROBABILITY
        )


def _check_rois(rois: Sequence[Roi]) -> None:
    if not rois:
        raise DetectionsError("there are no ROIs to score", "choose another subset or split")
    unlabelled = [roi.file_name for roi in rois if roi.split == "unlabelled"]
    if unlabelled:
        raise DetectionsError(
            f"{_some(unlabelled)} have the role unlabelled: what is in them is not known",
            "score labelled ROIs only",
        )


def _files_by_stem(folder: Path, rois: Sequence[Roi]) -> dict[str, DetectionFile]:
    """The one file of each ROI that has one, by the ROI's stem."""
    if not folder.is_dir():
        raise DetectionsError(
            f"{folder} is not a folder", "give the folder that holds one JSON file per ROI"
        )
    names: dict[str, str] = {}
    for roi in rois:
        if names.setdefault(_stem(roi), roi.file_name) != roi.file_name:
            raise DetectionsError(
                f"{names[_stem(roi)]} and {roi.file_name} would share one file",
                "rename one of them",
            )
    candidates = _candidates(folder)
    files: dict[str, DetectionFile] = {}
    strange = []
    for file in candidates:
        if file.stem not in names:
            strange.append(file.path)
            continue
        first = files.setdefault(file.stem, file)
        if first != file and first.read is file.read:  # in another format, it is a copy
            raise DetectionsError(
                f"{first.path} and {file.path} are both for {names[file.stem]}", "keep one of them"
            )
    strange = [path for path in strange if can_be_scored(path)]
    if strange:
        logger.warning(
            "left out %d of %d files in %s, of no ROI that is scored here: %s",
            len(strange),
            len(candidates),
            folder,
            _some([str(path.relative_to(folder)) for path in strange]),
        )
    return files


def _candidates(folder: Path) -> list[DetectionFile]:
    """Files that may be of detections, those of the preferred format first."""
    files = []
    for ending, read in readers():
        for path in sorted(folder.glob(f"[!.]*{ending}")):
            files.append(DetectionFile(path.name.removesuffix(ending), path, read))
        if ending == FORMATS["challenge"].ending:
            for path in sorted(folder.glob(f"*/{STRANGERS_NAME}")):
                files.append(DetectionFile(path.parent.name, path, read))
    return files


def _stem(roi: Roi) -> str:
    return Path(roi.file_name).stem


def _some(names: Sequence[str], most: int = 8) -> str:
    """At most that many names, and how many there are in all."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} … ({len(names)} in all)"
