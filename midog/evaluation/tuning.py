"""The threshold of a model, chosen on val for the use that is made of it, and stored with the model."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog.boxes import MITOTIC_FIGURE
from midog.data.annotations import Roi
from midog.data.folder import require_images
from midog.data.splits import compact_names
from midog.errors import ConfigError, DetectionsError
from midog.evaluation.points import score_rois
from midog.files import write_text
from midog.inference.detect import Detector
from midog.inference.folder import Job, infer
from midog.inference.model_folder import CARD, find_folder
from midog.inference.outputs import RECORD_NAME
from midog.metrics.scores import Counts, RoiPoints, best_threshold, counts_at, sweep
from midog.metrics.thresholds import threshold_at_fp_rate, threshold_at_precision


@dataclass(frozen=True)
class Goal:
    """What a threshold is chosen for: the best F1, or the highest recall within one of the two limits.

    precision: lowest precision, in (0, 1]. fp_per_mm2: most false positives per mm2. Raises ConfigError for both.
    """

    precision: float | None = None
    fp_per_mm2: float | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and self.fp_per_mm2 is not None:
            raise ConfigError("precision and false positives per mm2 are two goals", "choose one of them")
        if self.precision is not None and not 0 < self.precision <= 1:
            raise ConfigError(f"a precision of {self.precision:g} cannot be", "give a number over 0, at most 1")
        if self.fp_per_mm2 is not None and not 0 <= self.fp_per_mm2 < math.inf:
            raise ConfigError(f"{self.fp_per_mm2:g} false positives per mm2 cannot be", "give 0 or more")

    def __str__(self) -> str:
        if self.precision is not None:
            return f"highest recall at a precision of at least {self.precision:g}"
        if self.fp_per_mm2 is not None:
            return f"highest recall at no more than {self.fp_per_mm2:g} false positives per mm2"
        return "best F1"


@dataclass(frozen=True)
class Tuned:
    """threshold, before: now and until now. counts: on val, at the new one. area_mm2: of val, NaN where not known."""

    threshold: float
    before: float
    counts: Counts
    area_mm2: float
    rois: int


def choose_threshold(points: Sequence[RoiPoints], area_mm2: float, goal: Goal) -> float:
    """The threshold for that goal. Raises DetectionsError where no figure, no hit or no area is there to choose by, or
    where no threshold reaches the goal."""
    swept = sweep(points)
    _require_figures(swept.figures)
    if not swept.tp.any():
        what = "the model finds no mitotic figure of val at any threshold, so none can be chosen"
        raise DetectionsError(what, "train it further, or on data like these")
    if goal.precision is not None:
        found = threshold_at_precision(swept, goal.precision)
        if found is None:
            highest = math.floor(1000 * swept.precision.max()) / 1000  # down, so that one can ask for what it says
            what = f"no threshold has a precision of {goal.precision:g} on val: the highest is {highest:.3f}"
            raise DetectionsError(what, "ask for less")
        return found
    if goal.fp_per_mm2 is not None:
        if math.isnan(area_mm2):
            raise DetectionsError("the mm2 of an ROI of val are not known", "give its um/px with --mpp or in the split")
        return threshold_at_fp_rate(swept, area_mm2, goal.fp_per_mm2)
    return best_threshold(swept)


def tune(
    model: Path | str,
    rois: Sequence[Roi],
    goal: Goal,
    *,
    detections: Path | str | None = None,
    mpp: float | None = None,
    device: str = "auto",
    on_image: Callable[[str, int | None], None] | None = None,
) -> Tuned:
    """Choose the threshold on these ROIs (those of val) and write it into the model's model.json.

    model: a model's or a run's folder. detections: what this model found in the ROIs; None: it detects now.
    Raises WeightsError for a model that cannot be read, DetectionsError where the detections are of another one or no
    threshold reaches the goal; the model then stays as it was.
    """
    _require_figures(sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in rois))  # before detection takes its time
    folder = find_folder(Path(model).expanduser())
    detector = Detector.load(folder, device=device)
    with tempfile.TemporaryDirectory() as scratch:
        if detections is None:
            detections = Path(scratch)
            _detect(detector, rois, detections, mpp, on_image)
        else:
            _check_origin(Path(detections), detector, rois)
        scored = score_rois(detections, rois, threshold=detector.threshold, mpp=mpp)
    points, area = [each.points for each in scored], math.fsum(each.area_mm2 for each in scored)
    threshold = choose_threshold(points, area, goal)
    _store(folder / CARD, threshold, goal, len(rois))
    return Tuned(threshold, detector.threshold, counts_at(points, threshold), area, len(rois))


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
        raise DetectionsError(next(iter(outcome.failed.values())), "")


def _check_origin(detections: Path, detector: Detector, rois: Sequence[Roi]) -> None:
    """The detections must be this model's, as their threshold would mean nothing to another, and of all the ROIs."""
    record = detections / RECORD_NAME
    try:
        weights = json.loads(record.read_text(encoding="utf-8"))["settings"]["weights"]
    except (OSError, ValueError, KeyError, TypeError):
        fix = "give a folder that `midog infer` wrote with this model, or leave --detections out"
        raise DetectionsError(f"{detections}/ does not say which model made it", fix) from None
    if weights != detector.settings()["weights"]:
        raise DetectionsError(f"{detections}/ holds detections of another model", "leave --detections out")
    missing = [roi.file_name for roi in rois if not (detections / f"{Path(roi.file_name).stem}.json").is_file()]
    if missing:
        fix = "run `midog infer` on val with that --out, or leave --detections out"
        raise DetectionsError(f"{detections}/ has no detections for {compact_names(missing)}", fix)


def _require_figures(number: int) -> None:
    if number == 0:
        raise DetectionsError("no ROI of val has a mitotic figure", "a threshold needs some: use a larger val part")


def _store(card: Path, threshold: float, goal: Goal, rois: int) -> None:
    tree: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
    tree |= {"threshold": threshold, "tuned": {"goal": str(goal), "subset": "val", "rois": rois}}
    write_text(card, json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
