"""The MIDOG 2025 challenge's own ground truth: figures in mm, tumour and kind of each ROI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.detection_files import read_detections
from midog.evaluation.groups import keys_of, parse_by
from midog.evaluation.points import ScoredRoi, as_scored, warn_of_odd_points
from midog.evaluation.result import Evaluation
from midog.evaluation.scoring import RESAMPLES, check_resamples, summarise
from midog.evaluation.written_scores import written_scores
from midog.formats.shared import DetectedPoints
from midog.json_text import is_number, read_json
from midog.metrics.points import Points

ROI_TYPES = ("hotspot", "challenging", "random")
"""Kinds of ROIs of the challenge, in the order of its results."""

_FIX = (
    'write {"001.tiff": {"annotations": [[x, y, 0], …], "tumor domain": 0, "roi type": "hotspot"}}'
)


@dataclass(frozen=True, eq=False)
class TruthRoi:
    """An ROI of the ground truth.

    Attributes:
        file_name: Of its image.
        figures_mm: (N, 2) float64, x y in mm, in the order of the file.
        tumor_domain: A whole number, or a text.
        roi_type: One of ROI_TYPES.
    """

    file_name: str
    figures_mm: Points
    tumor_domain: int | str
    roi_type: str

    @property
    def roi(self) -> Roi:
        """It, with the columns `tumour` and `roi_type`, without boxes."""
        columns = {"tumour": str(self.tumor_domain), "roi_type": self.roi_type}
        return Roi(self.file_name, columns=columns)


def read_truth(path: Path) -> list[TruthRoi]:
    """Read a ground truth file.

    Raises:
        DetectionsError: The file is no such one; names the image and the annotation, from 1.
    """
    tree = read_json(path, DetectionsError, _FIX)
    if not isinstance(tree, dict) or not tree:
        raise DetectionsError(f"{path} is no ground truth of the challenge", _FIX)
    return [_roi_of(value, name, f"{path} {name}") for name, value in tree.items()]


def score_truth(
    detections: Path | str,
    truth: Sequence[TruthRoi],
    *,
    threshold: float | None = None,
    allow_missing: bool = False,
) -> list[ScoredRoi]:
    """Read and match the detections of each ROI, in mm; no image is needed.

    Args:
        detections: As of `midog.evaluation.scoring.evaluate`, as are the further arguments.
        truth: The ROIs.

    Raises:
        DetectionsError: For what cannot be scored: missing, doubled or bad files.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise DetectionsError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
    rois = [own.roi for own in truth]
    read = read_detections(Path(detections), rois, allow_missing=allow_missing)
    detected = [own for own in read if isinstance(own, DetectedPoints)]
    if len(detected) < len(read):
        what = f"{detections} holds GeoJSON, in px, and the ground truth states no um per px"
        raise DetectionsError(what, "give files of format challenge, or {data}", {"data": None})
    scored = [
        as_scored(roi, own.figures_mm, of_roi, threshold)
        for roi, own, of_roi in zip(rois, truth, detected, strict=True)
    ]
    warn_of_odd_points(detections, scored, detected, threshold)
    return scored


def evaluate_truth(
    detections: Path | str,
    truth: Sequence[TruthRoi],
    *,
    by: str | Sequence[str] = "roi_type",
    threshold: float | None = None,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Score a folder of detections on the ground truth, in all and by group.

    Args:
        detections: As of `midog.evaluation.scoring.evaluate`, as are the further arguments.
        truth: The ROIs; each counts as a patient of its own.
        by: roi_type, tumour or file_name; "tumour,roi_type" nests.

    Raises:
        DetectionsError: For what cannot be scored.
    """
    check_resamples(resamples, least=0, few="give 0 (no intervals) or more")
    columns = parse_by(by)
    keys = keys_of([own.roi for own in truth], columns)
    scored = score_truth(detections, truth, threshold=threshold, allow_missing=allow_missing)
    return summarise(
        scored,
        keys,
        columns,
        threshold=threshold,
        written=written_scores(detections, scored, threshold),
        resamples=resamples,
        seed=seed,
    )


def _roi_of(value: Any, name: str, where: str) -> TruthRoi:
    own = value if isinstance(value, dict) else {}
    missing = [key for key in ("annotations", "tumor domain", "roi type") if key not in own]
    if missing:
        raise DetectionsError(f"{where} has no {missing[0]!r}", _FIX)
    kind, domain, points = own["roi type"], own["tumor domain"], own["annotations"]
    if kind not in ROI_TYPES:
        fix = f"write {', '.join(ROI_TYPES[:-1])} or {ROI_TYPES[-1]}"
        raise DetectionsError(f"{where}: 'roi type' is {str(kind)[:40]!r}", fix)
    if isinstance(domain, bool) or not isinstance(domain, int | str):
        raise DetectionsError(f"{where}: 'tumor domain' is {str(domain)[:40]}", "write a number")
    if not isinstance(points, list):
        raise DetectionsError(f"{where}: 'annotations' is no list", _FIX)
    places = [_place(point, f"{where} annotation {n}") for n, point in enumerate(points, 1)]
    figures = np.array(places, np.float64).reshape(-1, 2)
    return TruthRoi(name, figures, domain, kind)


def _place(point: Any, where: str) -> tuple[float, float]:
    numbers = point if isinstance(point, list) and len(point) in (2, 3) else []
    if not numbers or not all(map(is_number, numbers)):
        fix = "write three numbers x, y, 0 in mm"
        raise DetectionsError(f"{where} is {str(point)[:60]}", fix)
    return float(numbers[0]), float(numbers[1])
