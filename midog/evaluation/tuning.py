"""The threshold of a model, chosen on val for a goal, and stored with the model."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from midog.boxes import MITOTIC_FIGURE
from midog.data.folder import data_fingerprint, require_images, select_rois
from midog.data.roi import Roi
from midog.data.split_file import compact_names
from midog.errors import ConfigError, DetectionsError
from midog.evaluation.detection_files import sources_of
from midog.evaluation.points import score_rois
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import job_of
from midog.inference.model_card import CARD
from midog.inference.model_folder import find_folder
from midog.inference.output_folder import read_settings
from midog.inference.stored_threshold import Tuning, store_threshold
from midog.metrics.counts import Counts, counts_at
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import Sweep, sweep
from midog.metrics.thresholds import (
    best_threshold,
    highest_precision,
    lowest_fp_rate,
    threshold_at_fp_rate,
    threshold_at_precision,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Goal:
    """What a threshold is chosen for: the best F1, or the highest recall within one of two limits.

    Attributes:
        precision: The least precision, in (0, 1]; None: no limit.
        fp_per_mm2: The most false positives per mm2, >= 0; None: no limit.

    Raises:
        ConfigError: If both limits are given, or one is out of range.
    """

    precision: float | None = None
    fp_per_mm2: float | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and self.fp_per_mm2 is not None:
            raise ConfigError(
                "precision and false positives per mm2 are two goals",
                "choose {precision} or {fp_per_mm2}",
                {"precision": None, "fp_per_mm2": None},
            )
        if self.precision is not None and not 0 < self.precision <= 1:
            raise ConfigError(
                f"a precision of {self.precision:g} is out of range",
                "choose {precision} over 0, at most 1",
                {"precision": None},
            )
        if self.fp_per_mm2 is not None and not 0 <= self.fp_per_mm2 < math.inf:
            raise ConfigError(
                f"{self.fp_per_mm2:g} false positives per mm2 are out of range",
                "choose {fp_per_mm2} of 0 or more",
                {"fp_per_mm2": None},
            )

    def __str__(self) -> str:
        if self.precision is not None:
            return f"highest recall at a precision of at least {self.precision:g}"
        if self.fp_per_mm2 is not None:
            return f"highest recall at no more than {self.fp_per_mm2:g} false positives per mm2"
        return "best F1"


@dataclass(frozen=True)
class Tuned:
    """The outcome of tuning.

    Attributes:
        threshold: The new one.
        before: The one until now.
        counts: On val, at the new threshold.
        area_mm2: Of val, NaN where it is not known.
        rois: Number of ROIs of val.
    """

    threshold: float
    before: float
    counts: Counts
    area_mm2: float
    rois: int


def choose_threshold(points: Sequence[RoiPoints], area_mm2: float, goal: Goal) -> float:
    """Choose the threshold for a goal.

    Args:
        points: Of the ROIs.
        area_mm2: Of the ROIs together; NaN where it is not known.
        goal: The goal.

    Raises:
        DetectionsError: If there is no figure, no detected figure or no area to choose by, or no
            threshold that detects a figure reaches the goal.
    """
    swept = sweep(points)
    _require_figures(swept.figures)
    if not swept.tp[swept.thresholds > 0].any():
        what = "the model detects no mitotic figure of val at any threshold, so none can be chosen"
        raise DetectionsError(what, "train it further, or on data like these")
    if goal.precision is not None:
        return _at_precision(swept, goal.precision)
    if goal.fp_per_mm2 is not None:
        return _at_fp_rate(swept, area_mm2, goal.fp_per_mm2)
    return best_threshold(swept)


def tune(
    model: Path | str,
    rois: Sequence[Roi],
    goal: Goal,
    *,
    other_data: bool = False,
    detections: Path | str | None = None,
    orientations: int = 1,
    mpp: float | None = None,
    device: str = "auto",
    on_image: Callable[[str, int | None], None] | None = None,
) -> Tuned:
    """Choose the threshold on the val ROIs among `rois` and write it into the model's model.json.

    Args:
        model: The folder of a model, a run or an ensemble.
        rois: All that `read_rois` gave, as `data_fingerprint` is of them all.
        goal: What the threshold is chosen for.
        other_data: The model was not trained on the val ROIs, though it was trained from other data
            or by another split.
        detections: Folder of this model's detections in the val ROIs; None: it detects now.
        orientations: In which images are shown to the model. The threshold for several is stored
            beside the one for images as they are, and taken when so many are asked for.
        mpp: um/px of the ROIs; None: each ROI's own, or that of its image.
        device: Where to detect.
        on_image: Called with the name and the number of figures of each image.

    Raises:
        WeightsError: If the model cannot be read.
        DataError: If no ROI is in val.
        DetectionsError: If the model was trained from other ROIs or by another split than these,
            the detections are of another model, or no threshold reaches the goal. The model then
            stays as it was.
    """
    val = select_rois(rois, "val")
    # before detection takes its time
    _require_figures(sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in val))
    folder = find_folder(Path(model).expanduser())
    detector = Detector.load(folder, device=device, orientations=orientations)
    if not other_data:
        check_unseen(detector.info, rois, folder / CARD)
    with tempfile.TemporaryDirectory() as scratch:
        if detections is None:
            detections = Path(scratch)
            detect_rois(detector, val, detections, mpp, on_image)
        else:
            _check_origin(Path(detections), detector, val)
        scored = score_rois(detections, val, threshold=detector.threshold, mpp=mpp)
    points = [roi.points for roi in scored]
    area = math.fsum(roi.area_mm2 for roi in scored)
    threshold = choose_threshold(points, area, goal)
    tuning = Tuning(str(goal), "val", len(val))
    store_threshold(folder / CARD, threshold, tuning, orientations)
    return Tuned(threshold, detector.threshold, counts_at(points, threshold), area, len(val))


def _at_precision(swept: Sweep, precision: float) -> float:
    threshold = threshold_at_precision(swept, precision)
    if threshold is None:
        highest = _thousandths(highest_precision(swept), ROUND_FLOOR)
        what = f"no threshold has a precision of {precision:g} on val: the highest is {highest}"
        raise DetectionsError(what, "ask for less")
    return threshold


def _at_fp_rate(swept: Sweep, area_mm2: float, fp_per_mm2: float) -> float:
    if math.isnan(area_mm2):
        raise DetectionsError(
            "the mm2 of an ROI of val are not known",
            "give {mpp}, or a column `mpp` in the split",
            {"mpp": None},
        )
    threshold = threshold_at_fp_rate(swept, area_mm2, fp_per_mm2)
    if threshold is None:
        fewest = _thousandths(lowest_fp_rate(swept, area_mm2), ROUND_CEILING)
        what = (
            f"no threshold that detects a figure of val has at most {fp_per_mm2:g} false positives"
            " per mm2"
        )
        raise DetectionsError(f"{what}: the fewest are {fewest}", "allow more")
    return threshold


def _thousandths(value: float, rounding: str) -> str:
    """Rounded to where the goal can still be reached, so that one can ask for that number."""
    return str(Decimal(value).quantize(Decimal("0.001"), rounding))


def check_unseen(info: Mapping[str, Any], rois: Sequence[Roi], card: Path) -> None:
    """Check that the ROIs are those that the models were trained from, by the same split, so that
    none was ever trained on val.

    Args:
        info: Of the detector, as its model.json at `card` has it.
        rois: All of the data folder.

    Raises:
        DetectionsError: If they are others.
    """
    own = [{"name": "the model", "data": info.get("data")}]
    fingerprint = data_fingerprint(rois)
    for model in info.get("members", own):
        if not isinstance(model["data"], str):
            text = "%s does not state what data %s was trained from: val must be none of them"
            logger.warning(text, card, model["name"])
        elif model["data"] != fingerprint:
            raise DetectionsError(
                f"these data or this split are not those that {model['name']} was trained from: it"
                " may have been trained on these val ROIs",
                "give those, or {other_data} if you know that it was not",
                {"other_data": True},
            )


def detect_rois(
    detector: Detector,
    rois: Sequence[Roi],
    out: Path,
    mpp: float | None,
    on_image: Callable[[str, int | None], None] | None,
) -> None:
    """Detect in ROIs; the first that fails is an error.

    Raises:
        DataError: If an image is missing.
        DetectionsError: If an image cannot be read.
    """
    require_images(rois)
    jobs = [job_of(roi, roi.path, mpp) for roi in rois if roi.path is not None]
    outcome = infer(jobs, detector, out, on_image=on_image)
    if outcome.failed:
        error = next(iter(outcome.failed.values()))
        raise DetectionsError(error.what, error.fix, error.settings)


def _check_origin(detections: Path, detector: Detector, rois: Sequence[Roi]) -> None:
    """The detections must be this model's, as their threshold would mean nothing to another, and of
    all the ROIs."""
    recorded, own = read_settings(detections) or {}, detector.settings()
    if not recorded.keys() & {"weights", "members"}:
        raise DetectionsError(
            f"{detections}/ does not state which model made it",
            "give a folder that `midog infer` wrote with this model, or leave {detections} out",
            {"detections": None},
        )
    if _made_by(recorded) != _made_by(own):
        raise DetectionsError(
            f"{detections}/ holds detections of another model, or in other orientations",
            "leave {detections} out",
            {"detections": None},
        )
    sources = sources_of(detections, rois)
    missing = [roi.file_name for roi, source in zip(rois, sources, strict=True) if source is None]
    if missing:
        raise DetectionsError(
            f"{detections}/ has no detections for {compact_names(missing)}",
            "run `midog infer` on val into that folder, or leave {detections} out",
            {"detections": None},
        )


def _require_figures(number: int) -> None:
    if number == 0:
        raise DetectionsError(
            "no ROI of val has a mitotic figure", "a threshold needs some: use a larger val part"
        )


def _made_by(settings: Mapping[str, Any]) -> tuple[list[str], int]:
    """The digests of a detector's weights, and its number of orientations."""
    members = settings.get("members", [settings])
    return sorted(str(member.get("weights")) for member in members), settings.get("orientations", 1)
