"""The threshold of a model for scores that are moved to one level, image by image."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from midog.data.folder import require_images
from midog.data.roi import Roi
from midog.evaluation.goals import Goal
from midog.evaluation.points import score_rois
from midog.evaluation.tuning import Tuned, detect_rois, load_to_tune, tuned_on
from midog.inference.calibration import StoredCalibration, store_calibration
from midog.inference.image_levels import measure_calibration
from midog.inference.jobs import job_of
from midog.inference.stored_threshold import Tuning
from midog.progress import OnImage


def tune_calibrated(
    model: Path | str,
    rois: Sequence[Roi],
    goal: Goal,
    *,
    other_data: bool = False,
    orientations: int = 1,
    mpp: float | None = None,
    device: str = "auto",
    on_image: OnImage | None = None,
) -> Tuned:
    """Measure the level of a model's scores in the val ROIs, choose the threshold there for scores
    that are moved to it, and write both into the model's model.json.

    Its other thresholds stay, for scores that are not moved.

    Args:
        model, rois, goal, other_data, orientations, mpp, device: As of `tune`.
        on_image: Called with each image twice: as its level is measured, with None, and as figures
            are detected.

    Raises:
        MidogError: As of `tune` and `measure_calibration`; the model then stays as it was.
    """
    val, card, detector = load_to_tune(
        model, rois, other_data=other_data, orientations=orientations, device=device
    )
    require_images(val)
    jobs = [job_of(roi, roi.path, mpp) for roi in val if roi.path is not None]
    detector.calibration = measure_calibration(detector.members, jobs, on_image)
    with tempfile.TemporaryDirectory() as scratch:
        detect_rois(detector, val, Path(scratch), mpp, on_image)
        scored = score_rois(scratch, val, threshold=detector.threshold, mpp=mpp)
    tuned = tuned_on(scored, goal, before=detector.threshold)
    tuning = Tuning(str(goal), "val", len(val))
    references = dict(detector.calibration.references)
    stored = StoredCalibration(references, tuned.threshold, tuning, orientations)
    store_calibration(card, stored)
    return tuned
