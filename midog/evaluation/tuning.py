"""The threshold of a model, chosen on val for a goal, and stored with the model."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog.boxes import MITOTIC_FIGURE
from midog.data.folder import data_fingerprint, require_images, select_rois
from midog.data.roi import Roi
from midog.data.split_file import compact_names
from midog.errors import DetectionsError
from midog.evaluation.detection_files import sources_of
from midog.evaluation.goals import Goal, choose_threshold, require_figures
from midog.evaluation.points import ScoredRoi, score_rois
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import job_of
from midog.inference.model_card import CARD
from midog.inference.model_folder import find_folder
from midog.inference.output_folder import read_settings
from midog.inference.stored_threshold import Tuning, store_threshold
from midog.metrics.counts import Counts, counts_at

logger = logging.getLogger(__name__)


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
    val, card, detector = load_to_tune(
        model, rois, other_data=other_data, orientations=orientations, device=device
    )
    with tempfile.TemporaryDirectory() as scratch:
        if detections is None:
            detections = Path(scratch)
            detect_rois(detector, val, detections, mpp, on_image)
        else:
            _check_origin(Path(detections), detector, val)
        scored = score_rois(detections, val, threshold=detector.threshold, mpp=mpp)
    tuned = tuned_on(scored, goal, before=detector.threshold)
    store_threshold(card, tuned.threshold, Tuning(str(goal), "val", len(val)), orientations)
    return tuned


def load_to_tune(
    model: Path | str, rois: Sequence[Roi], *, other_data: bool, orientations: int, device: str
) -> tuple[list[Roi], Path, Detector]:
    """Load a model whose threshold is to be chosen, and see that it can be.

    Args:
        model, rois, other_data, orientations, device: As of `tune`.

    Returns:
        The ROIs of val, the model's model.json, and the model.

    Raises:
        MidogError: As of `tune`.
    """
    val = select_rois(rois, "val")
    # before detection takes its time
    require_figures(sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in val))
    card = find_folder(Path(model).expanduser()) / CARD
    detector = Detector.load(card.parent, device=device, orientations=orientations)
    if not other_data:
        check_unseen(detector.info, rois, card)
    return val, card, detector


def tuned_on(scored: Sequence[ScoredRoi], goal: Goal, *, before: float) -> Tuned:
    """Choose the threshold of ROIs that are scored.

    Args:
        scored: They.
        goal: As of `tune`.
        before: The threshold until now.

    Raises:
        DetectionsError: As of `choose_threshold`.
    """
    points = [roi.points for roi in scored]
    area = math.fsum(roi.area_mm2 for roi in scored)
    threshold = choose_threshold(points, area, goal)
    return Tuned(threshold, before, counts_at(points, threshold), area, len(scored))


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


def _made_by(settings: Mapping[str, Any]) -> tuple[list[str], int]:
    """The digests of a detector's weights, and its number of orientations."""
    members = settings.get("members", [settings])
    return sorted(str(member.get("weights")) for member in members), settings.get("orientations", 1)
