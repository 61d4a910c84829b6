"""A folder of detections as candidates: what each is, and whether its model knew the ROI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from midog.data.candidates import FIGURE_LABEL, OTHER_LABEL, Candidate, Origin
from midog.data.roi import Roi
from midog.data.seen import TRAINED_ON, seen_by
from midog.data.split_file import compact_names
from midog.errors import DetectionsError, ImageError
from midog.evaluation.detection_files import sources_of
from midog.evaluation.points import ScoredRoi, score_rois
from midog.inference.output_folder import read_settings
from midog.metrics.matching import RADIUS_MM, pairs_within
from midog.metrics.points import px_of_mm


def candidates_of(folder: Path, rois: Sequence[Roi], all_rois: Sequence[Roi]) -> list[Candidate]:
    """Return the detections in some ROIs as candidates.

    A detection within 7.5 um of an annotated figure is a mitotic figure, another one is none; those
    in boxes to ignore are left out. Detections of any probability are taken, also those below the
    model's threshold.

    Args:
        folder: That `midog infer` wrote.
        rois: Whose detections are wanted; those without a file have none.
        all_rois: Of the data folder, so that the patients that the model has seen are known.

    Returns:
        In the order of the ROIs. Their origin is unknown where the folder does not state what its
        model was trained on.

    Raises:
        DetectionsError: The folder does not exist, holds none of these ROIs, or a file is damaged.
        ImageError: The mpp of an ROI with detections is not known.
    """
    sources = sources_of(folder, rois)
    detected = [roi for roi, source in zip(rois, sources, strict=True) if source is not None]
    if not detected:
        names = compact_names([roi.file_name for roi in rois])
        raise DetectionsError(
            f"{folder}/ holds no detections for {names}",
            "give a folder that `midog infer` wrote of these ROIs",
        )
    origins = _origins(folder, detected, all_rois)
    scored = score_rois(folder, detected)
    return [
        candidate
        for one, origin in zip(scored, origins, strict=True)
        for candidate in _in_roi(one, origin)
    ]


def _origins(folder: Path, rois: Sequence[Roi], all_rois: Sequence[Roi]) -> list[Origin]:
    trained_on = (read_settings(folder) or {}).get(TRAINED_ON)
    if not isinstance(trained_on, list):
        return ["unknown"] * len(rois)
    seen = {
        roi.file_name
        for roi, is_seen in zip(all_rois, seen_by(all_rois, trained_on), strict=True)
        if is_seen
    }
    return ["in-fold" if roi.file_name in seen else "out-of-fold" for roi in rois]


def _in_roi(one: ScoredRoi, origin: Origin) -> list[Candidate]:
    points = one.points
    if not len(points.scores):
        return []
    if one.mpp is None:
        name = one.roi.file_name
        fix = "give a column `mpp` in the split"
        raise ImageError(
            f"{name}: its mpp (um per px) is unknown, so its detections have no px", fix
        )
    is_figure = np.zeros(len(points.scores), bool)
    is_figure[pairs_within(points.truth_mm, points.detected_mm, RADIUS_MM).detected] = True
    places = px_of_mm(points.detected_mm, one.mpp).tolist()
    return [
        Candidate(one.roi.file_name, x, y, FIGURE_LABEL if true else OTHER_LABEL, origin, score)
        for (x, y), true, score in zip(
            places, is_figure.tolist(), points.scores.tolist(), strict=True
        )
    ]
