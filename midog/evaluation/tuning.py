"""The threshold of a model, chosen on val for the use that is made of it, and stored with the
model."""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from midog.boxes import MITOTIC_FIGURE
from midog.data.folder import data_fingerprint, require_images, select_rois
from midog.data.roi import Roi
from midog.data.split_file import compact_names
from midog.errors import ConfigError, DetectionsError
from midog.evaluation.points import score_rois
from midog.files import replace_text, to_json
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.inference.model_folder import CARD, find_folder
from midog.inference.output_folder import read_settings
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
    """What a threshold is chosen for: the best F1, or the highest recall within one of the two
    limits.

    precision: lowest precision, in (0, 1]. fp_per_mm2: most false positives per mm2. Raises
    ConfigError for both.
    """

    precision: float | None = None
    fp_per_mm2: float | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and self.fp_per_mm2 is not None:
            raise ConfigError(
                "precision and false positives per mm2 are two goals", "choose one of them"
            )
        if self.precision is not None and not 0 < self.precision <= 1:
            raise ConfigError(
                f"a precision of {self.precision:g} cannot be", "give a number over 0, at most 1"
            )
        if self.fp_per_mm2 is not None and not 0 <= self.fp_per_mm2 < math.inf:
            raise ConfigError(
                f"{self.fp_per_mm2:g} false positives per mm2 cannot be", "give 0 or more"
            )

    def __str__(self) -> str:
        if self.precision is not None:
            return f"highest recall at a precision of at least {self.precision:g}"
        if self.fp_per_mm2 is not None:
            return f"highest recall at no more than {self.fp_per_mm2:g} false positives per mm2"
        return "best F1"


@dataclass(frozen=True)
class Tuned:
    """threshold, before: now and until now. counts: on val, at the new one. area_mm2: of val, NaN
    where not known."""

    threshold: float
    before: float
    counts: Counts
    area_mm2: float
    rois: int


def choose_threshold(points: Sequence[RoiPoints], area_mm2: float, goal: Goal) -> float:
    """The threshold for that goal. Raises DetectionsError where no figure, no hit or no area is
    there to choose by, or where no threshold that finds a figure reaches the goal."""
    swept = sweep(points)
    _require_figures(swept.figures)
    if not swept.tp[swept.thresholds > 0].any():
        what = "the model finds no mitotic figure of val at any threshold, so none can be chosen"
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
    mpp: float | None = None,
    device: str = "auto",
    on_image: Callable[[str, int | None], None] | None = None,
) -> Tuned:
    """Choose the threshold on the val ROIs among `rois` and write it into the model's model.json.

    model: a model's or a run's folder. rois: all that `read_rois` gave, as `data_fingerprint` is of
    them all.
    other_data: the val ROIs are known to be none that the model learned from, though it was trained
    from other data or by another split. detections: what this model found in the val ROIs; None: it
    detects now. Raises WeightsError for a model that cannot be read, DataError where no ROI is in
    val, DetectionsError where the model was trained from other ROIs or by another split than these,
    the detections are of another model, or no threshold reaches the goal; the model then stays as
    it was.
    """
    val = select_rois(rois, "val")
    # before detection takes its time
    _require_figures(sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in val))
    folder = find_folder(Path(model).expanduser())
    detector = Detector.load(folder, device=device)
    if not other_data:
        _check_unseen(detector, rois, folder / CARD)
    with tempfile.TemporaryDirectory() as scratch:
        if detections is None:
            detections = Path(scratch)
            _detect(detector, val, detections, mpp, on_image)
        else:
            _check_origin(Path(detections), detector, val)
        scored = score_rois(detections, val, threshold=detector.threshold, mpp=mpp)
    points, area = [each.points for each in scored], math.fsum(each.area_mm2 for each in scored)
    threshold = choose_threshold(points, area, goal)
    _store(folder / CARD, threshold, goal, len(val))
    return Tuned(threshold, detector.threshold, counts_at(points, threshold), area, len(val))


def _at_precision(swept: Sweep, precision: float) -> float:
    found = threshold_at_precision(swept, precision)
    if found is None:
        highest = _thousandths(highest_precision(swept), ROUND_FLOOR)
        what = f"no threshold has a precision of {precision:g} on val: the highest is {highest}"
        raise DetectionsError(what, "ask for less")
    return found


def _at_fp_rate(swept: Sweep, area_mm2: float, fp_per_mm2: float) -> float:
    if math.isnan(area_mm2):
        raise DetectionsError(
            "the mm2 of an ROI of val are not known", "give its um/px with --mpp or in the split"
        )
    found = threshold_at_fp_rate(swept, area_mm2, fp_per_mm2)
    if found is None:
        fewest = _thousandths(lowest_fp_rate(swept, area_mm2), ROUND_CEILING)
        what = (
            f"no threshold that finds a figure of val has at most {fp_per_mm2:g} false positives"
            " per mm2"
        )
        raise DetectionsError(f"{what}: the fewest are {fewest}", "allow more")
    return found


def _thousandths(value: float, rounding: str) -> str:
    """Rounded to where the goal can still be had, so that one can ask for what it says."""
    return str(Decimal(value).quantize(Decimal("0.001"), rounding))


def _check_unseen(detector: Detector, rois: Sequence[Roi], card: Path) -> None:
    """The ROIs must be those that the model was trained from, by the same split, so that it never
    learned from val."""
    learned_from = detector.info.get("data")
    if not isinstance(learned_from, str):
        logger.warning(
            "%s does not say what data the model was trained from: val must be none of them", card
        )
    elif learned_from != data_fingerprint(rois):
        what = "these data or this split are not those that the model was trained from"
        fix = "give those, or --other-data if you know that it never did"
        raise DetectionsError(f"{what}: its val ROIs may be among what it learned from", fix)


def _detect(
    detector: Detector,
    rois: Sequence[Roi],
    out: Path,
    mpp: float | None,
    on_image: Callable[[str, int | None], None] | None,
) -> None:
    require_images(rois)
    jobs = [Job(roi.path, roi.mpp if mpp is None else mpp) for roi in rois if roi.path is not None]
    outcome = infer(jobs, detector, out, on_image=on_image)
    if outcome.failed:
        error = next(iter(outcome.failed.values()))
        raise DetectionsError(error.what, error.fix, error.settings)


def _check_origin(detections: Path, detector: Detector, rois: Sequence[Roi]) -> None:
    """The detections must be this model's, as their threshold would mean nothing to another, and of
    all the ROIs."""
    weights = (read_settings(detections) or {}).get("weights")
    if weights is None:
        fix = "give a folder that `midog infer` wrote with this model, or leave --detections out"
        raise DetectionsError(f"{detections}/ does not say which model made it", fix)
    if weights != detector.settings()["weights"]:
        raise DetectionsError(
            f"{detections}/ holds detections of another model", "leave --detections out"
        )
    missing = [
        roi.file_name
        for roi in rois
        if not (detections / f"{Path(roi.file_name).stem}.json").is_file()
    ]
    if missing:
        fix = "run `midog infer` on val with that --out, or leave --detections out"
        raise DetectionsError(f"{detections}/ has no detections for {compact_names(missing)}", fix)


def _require_figures(number: int) -> None:
    if number == 0:
        raise DetectionsError(
            "no ROI of val has a mitotic figure", "a threshold needs some: use a larger val part"
        )


def _store(card: Path, threshold: float, goal: Goal, rois: int) -> None:
    tree: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
    tree |= {"threshold": threshold, "tuned": {"goal": str(goal), "subset": "val", "rois": rois}}
    replace_text(card, to_json(tree, ascii_only=False))
