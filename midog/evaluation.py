"""Scores a folder of detections, ours or a stranger's, against the annotation, for all ROIs and by group."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import MITOTIC_FIGURE, centers_of
from midog.data.annotations import Roi
from midog.errors import DetectionsError
from midog.inference.export import FORMATS, FoundPoints, read_challenge
from midog.metrics.scores import Counts, RoiPoints, average_precision, counts_at

logger = logging.getLogger(__name__)

ALL = "all"
UNKNOWN = "unknown"
STRANGERS_NAME = "mitotic-figures.json"
"""The challenge's name of an algorithm's output: STEM/mitotic-figures.json is the ROI STEM's."""
DEFAULT_PROBABILITY = 0.5
"""What a point without probability is taken to have; so does the challenge's own evaluation."""


@dataclass(frozen=True)
class GroupScores:
    """Scores of some ROIs together.

    rois, figures: number of ROIs, and of true mitotic figures in them. counts: pooled; its ratios are NaN where the
    denominator is zero. ap50: average precision over all points whatever their name, NaN without figures.
    """

    rois: int
    figures: int
    counts: Counts
    ap50: float


@dataclass(frozen=True)
class Evaluation:
    """Scores by group, "all" first, then each value of the column in the order of the ROIs.

    threshold: the one asked for, None where the points' own names were counted.
    """

    threshold: float | None
    groups: Mapping[str, GroupScores]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: `{"threshold": …, "groups": {"all": {"rois": …, "tp": …, "f1": …}, …}}`, NaN as None."""
        return {
            "threshold": self.threshold,
            "groups": {
                name: {
                    "rois": group.rois,
                    "figures": group.figures,
                    "tp": group.counts.tp,
                    "fp": group.counts.fp,
                    "fn": group.counts.fn,
                    "precision": _or_none(group.counts.precision),
                    "recall": _or_none(group.counts.recall),
                    "f1": _or_none(group.counts.f1),
                    "ap50": _or_none(group.ap50),
                }
                for name, group in self.groups.items()
            },
        }


def evaluate(
    detections: Path | str,
    rois: Sequence[Roi],
    *,
    by: str = "scanner",
    threshold: float | None = None,
    mpp: float | None = None,
    allow_missing: bool = False,
) -> Evaluation:
    """Score a folder of 'Multiple points' JSON as the MIDOG challenge does, in all and by group.

    detections: folder with STEM.json or STEM/mitotic-figures.json for the ROI whose file name has that stem. Files of
        no ROI in `rois` are left out, with a warning.
    by: scanner, patient, file_name or a column of the ROIs.
    threshold: None counts the points named 'mitotic figure'; else all points of probability >= it count, whatever
        their name. In [0, 1].
    mpp: um/px for all ROIs; None takes each ROI's own, or that of its image.
    allow_missing: an ROI without a file counts as one without detections; else it is an error.
    Raises DetectionsError for what cannot be scored: missing or doubled or bad files, unlabelled ROIs, no mpp, an
    unknown column.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise DetectionsError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
    _check_rois(rois)
    group_of = _groups(rois, by)
    files = _files_by_stem(Path(detections), rois)
    missing = [roi.file_name for roi in rois if _stem(roi) not in files]
    if missing and not allow_missing:
        raise DetectionsError(
            f"{detections} has no detections for {_some(missing)}",
            "write a file for each ROI, with an empty list `points` where nothing was found, or use --allow-missing",
        )
    scored = [_score(roi, files.get(_stem(roi)), threshold, mpp) for roi in rois]
    _warn_of_no_probability(scored)
    _warn_of_places(scored)
    groups = {ALL: _pool(scored)}
    for name in dict.fromkeys(group_of):
        groups[name] = _pool([each for each, group in zip(scored, group_of, strict=True) if group == name])
    return Evaluation(threshold, groups)


@dataclass(frozen=True, eq=False)
class _Scored:
    """One ROI: all its points with their scores, and the counts of those that count."""

    points: RoiPoints
    counts: Counts
    without_probability: int
    outside: int


def _score(roi: Roi, file: Path | None, threshold: float | None, mpp: float | None) -> _Scored:
    found = read_challenge(file) if file else FoundPoints(np.zeros((0, 2)), np.zeros(0), np.zeros(0, bool))
    scores = np.where(np.isnan(found.scores), DEFAULT_PROBABILITY, found.scores)
    points = RoiPoints(_truth_mm(roi, mpp), found.points_mm, scores)
    if threshold is None:
        named = RoiPoints(points.truth_mm, points.found_mm[found.is_figure], scores[found.is_figure])
        counts = counts_at([named], 0.0)  # whatever their score
    else:
        counts = counts_at([points], threshold)
    return _Scored(points, counts, int(np.isnan(found.scores).sum()), _outside(roi, points, mpp))


def _outside(roi: Roi, points: RoiPoints, mpp: float | None) -> int:
    """Points beyond the image, where its size and um/px are known without opening it."""
    value = mpp if mpp is not None else roi.mpp
    if value is None or roi.width is None or roi.height is None:
        return 0
    size = np.array([roi.width, roi.height]) * value / 1000
    return int(((points.found_mm < 0) | (points.found_mm > size)).any(axis=1).sum())


def _warn_of_places(scored: Sequence[_Scored]) -> None:
    outside, total = sum(each.outside for each in scored), sum(len(each.points.found_mm) for each in scored)
    if outside > total / 10:
        logger.warning("%d of %d points lie outside their image: are they mm, of this mpp?", outside, total)


def _pool(scored: Sequence[_Scored]) -> GroupScores:
    points = [each.points for each in scored]
    return GroupScores(
        rois=len(scored),
        figures=sum(len(each.truth_mm) for each in points),
        counts=sum((each.counts for each in scored), Counts()),
        ap50=average_precision(points),
    )


def _truth_mm(roi: Roi, mpp: float | None) -> NDArray[np.float64]:
    """Centres of the mitotic figures (N, 2) float64, mm, in file order."""
    figures = roi.boxes.of_class(MITOTIC_FIGURE)
    if len(figures) == 0:
        return np.zeros((0, 2))  # no need to know the mpp
    return centers_of(figures) * _mpp_of(roi, mpp) / 1000


def _mpp_of(roi: Roi, mpp: float | None) -> float:
    value = mpp if mpp is not None else roi.mpp
    if value is None and roi.path is not None:
        from midog.data.slides import open_image  # the only need for pixels here

        with open_image(roi.path) as image:
            value = image.mpp
    if value is None:
        raise DetectionsError(
            f"the um/px of {roi.file_name} is not known", "give it with --mpp or in a column `mpp` of the split"
        )
    if not 0 < value < math.inf:
        raise DetectionsError(f"mpp {value} of {roi.file_name} is no size of a pixel", "give um/px, such as 0.25")
    return value


def _check_rois(rois: Sequence[Roi]) -> None:
    if not rois:
        raise DetectionsError("there are no ROIs to score", "choose another subset or split")
    unlabelled = [roi.file_name for roi in rois if roi.split == "unlabelled"]
    if unlabelled:
        raise DetectionsError(
            f"{_some(unlabelled)} have the role unlabelled: what is in them is not known", "score labelled ROIs only"
        )


def _groups(rois: Sequence[Roi], by: str) -> list[str]:
    """The group of each ROI."""
    columns = [
        {"scanner": roi.scanner, "patient": roi.patient, "file_name": roi.file_name, **roi.columns} for roi in rois
    ]
    known = dict.fromkeys(name for each in columns for name in each)
    if by not in known:
        raise DetectionsError(f"the ROIs have no column {by!r}", f"group by one of {', '.join(known)}")
    groups = [each.get(by, "") or UNKNOWN for each in columns]
    if ALL in groups:
        raise DetectionsError(f"column {by} has the value {ALL!r}, which stands for all ROIs here", "rename it")
    return groups


def _files_by_stem(folder: Path, rois: Sequence[Roi]) -> dict[str, Path]:
    """The one file of each ROI that has one, by the ROI's stem."""
    if not folder.is_dir():
        raise DetectionsError(f"{folder} is not a folder", "give the folder that holds one JSON file per ROI")
    names: dict[str, str] = {}
    for roi in rois:
        if names.setdefault(_stem(roi), roi.file_name) != roi.file_name:
            raise DetectionsError(f"{names[_stem(roi)]} and {roi.file_name} would share one file", "rename one of them")
    candidates = [(path.stem, path) for path in sorted(folder.glob("[!.]*.json"))]
    candidates += [(path.parent.name, path) for path in sorted(folder.glob(f"*/{STRANGERS_NAME}"))]
    files: dict[str, Path] = {}
    strange = []
    for stem, path in candidates:
        if stem not in names:
            strange.append(path)
        elif files.setdefault(stem, path) != path:
            raise DetectionsError(f"{files[stem]} and {path} are both for {names[stem]}", "keep one of them")
    strange = [path for path in strange if not path.name.endswith(FORMATS["coco"])]
    if strange:
        logger.warning(
            "left out %d of %d files in %s, of no ROI that is scored here: %s",
            len(strange),
            len(candidates),
            folder,
            _some([str(path.relative_to(folder)) for path in strange]),
        )
    return files


def _stem(roi: Roi) -> str:
    return Path(roi.file_name).stem


def _warn_of_no_probability(scored: Iterable[_Scored]) -> None:
    number = sum(each.without_probability for each in scored)
    if number:
        logger.warning("%d points have no probability and are taken to have %g", number, DEFAULT_PROBABILITY)


def _some(names: Sequence[str], most: int = 8) -> str:
    """At most that many names, and how many there are in all."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} … ({len(names)} in all)"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
