"""Out-of-fold detections: in each train ROI, those of a model that has not seen its patient."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from midog.config.schema import RunConfig
from midog.data.candidates import FIGURE_LABEL, Candidate
from midog.data.folder import data_fingerprint, require_images
from midog.data.roi import Roi
from midog.data.seen import TRAINED_ON, seen_by
from midog.data.split_file import compact_names
from midog.data.splits import k_fold
from midog.errors import CheckpointError, ConfigError, DataError, DetectionsError
from midog.evaluation.labelled_detections import candidates_of
from midog.files import make_folder
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import job_of
from midog.locks import being_written, held_file
from midog.progress import OnImage
from midog.training.identity import Identity
from midog.training.resume import require_identical
from midog.training.runs import find_run, is_finished
from midog.training.tasks.detection_data import of_role
from midog.training.train import train

logger = logging.getLogger(__name__)

OnTraining = Callable[[int, int, str], None]
"""Called for each fold with the number of those before it, the number of all, and a line."""


def fold_rois(rois: Sequence[Roi], folds: int, seed: int) -> list[list[Roi]]:
    """Return the ROIs of each fold's training: a part of train held out, all of val.

    Every train ROI is held out in one fold, patients whole; it has the role test there. The test
    ROIs of the data folder take no part.

    Args:
        rois: With a `split` each.
        folds: At least 2.
        seed: Of the parts.

    Raises:
        ConfigError: Fewer than 2 folds.
        DataError: There are fewer patients than folds, or train or val is empty.
    """
    learned, val = of_role(rois, "train"), of_role(rois, "val")
    if len({roi.patient_or_name for roi in learned}) < folds:
        raise DataError(
            f"train has fewer than {folds} patients", "use fewer {folds}", {"folds": None}
        )
    parts = []
    for split in k_fold(learned, folds=folds, val=0.0, seed=seed):
        held = {row.file_name for row in split.rows if row.split == "test"}
        own = [replace(roi, split="test" if roi.file_name in held else "train") for roi in learned]
        parts.append([*own, *val])
    return parts


def train_folds(
    config: RunConfig,
    rois: Sequence[Roi],
    folds: int,
    *,
    runs: Path,
    on_training: OnTraining = lambda done, total, line: None,
) -> list[Path]:
    """Train a detector for each fold; finished ones are skipped, an unfinished one is resumed.

    Args:
        config: Of all runs; its seed is that of the folds, too.
        rois: Of the data folder, with a `split` each.
        folds: At least 2.
        runs: Folder of the runs fold1, fold2, …
        on_training: Told of each fold.

    Returns:
        The runs' folders, in order.

    Raises:
        ConfigError: The settings name several devices, or the task verify.
        CheckpointError: A run of that name has other settings or data, or is being trained.
        MidogError: As of `train`.
    """
    if config.task.kind == "verify":
        what = f"false alarms are those of a detector, and task.kind is {config.task.kind}"
        raise ConfigError(what, "use {task.kind}", {"task.kind": "detection"})
    if config.machine.devices * config.machine.num_nodes > 1:
        raise ConfigError(
            "folds are trained on one device each", "use {machine.devices}", {"machine.devices": 1}
        )
    parts = fold_rois(rois, folds, config.train.seed)
    for number, own in enumerate(parts, 1):  # before the first one is trained
        if (folder := find_run(runs, f"fold{number}")) is not None:
            identity = Identity(config, data_fingerprint(own))
            require_identical(folder, identity, "choose another {runs}", {"runs": None})
    return [
        _train_fold(config, own, f"fold{number}", runs, partial(on_training, number - 1, folds))
        for number, own in enumerate(parts, 1)
    ]


def _train_fold(
    config: RunConfig, rois: Sequence[Roi], name: str, runs: Path, report: Callable[[str], None]
) -> Path:
    make_folder(runs)
    lock = runs / f".{name}.lock"
    with held_file(lock, being_written(lock, CheckpointError)):
        folder = find_run(runs, name)
        if folder is not None and is_finished(folder):
            report(f"{name} is done")
            return folder
        held = sum(roi.split == "test" for roi in rois)
        report(f"{name}: training without {held} of the train ROIs")
        return train(config, name=name, runs=runs, rois=rois)


def out_of_fold(
    models: Sequence[Path],
    rois: Sequence[Roi],
    out: Path,
    *,
    device: str = "auto",
    on_image: OnImage | None = None,
) -> list[Candidate]:
    """Detect in every train ROI with the first model that has not seen it.

    Args:
        models: Runs or model folders; their model.json states what they were trained on.
        rois: Of the data folder, with a `split` each.
        out: Folder for the detections, one folder per model; images that are done are skipped.
        device: Where to detect.
        on_image: Called after each image.

    Returns:
        All detections as candidates, by model, in the order of the ROIs.

    Raises:
        DataError: A model does not state what it was trained on, or all models have seen every
            train ROI.
        MidogError: As of `infer`; nothing is left out without a word.
    """
    train_rois = of_role(rois, "train")
    require_images(train_rois)
    left, candidates = list(train_rois), list[Candidate]()
    for number, model in enumerate(models, 1):
        detector = Detector.load(model, device=device)
        trained_on = detector.info.get(TRAINED_ON)
        if not isinstance(trained_on, list):
            raise DataError(
                f"{model} does not state which ROIs it was trained on",
                "train it again, or give detections with {detections}",
                {"detections": None},
            )
        seen = dict(zip((roi.file_name for roi in rois), seen_by(rois, trained_on), strict=True))
        own = [roi for roi in left if not seen[roi.file_name]]
        left = [roi for roi in left if seen[roi.file_name]]
        if not own:
            logger.warning("%s has seen every train ROI that is left: it is not used", model)
            continue
        folder = out / f"model{number}"
        _detect(detector, own, folder, on_image)
        candidates += candidates_of(folder, own, rois)
    if len(left) == len(train_rois):
        raise DataError(
            "the models have seen every train ROI: no detection would be out of fold",
            "train some on parts of it with {folds}",
            {"folds": None},
        )
    if left:
        names = compact_names([roi.file_name for roi in left])
        logger.warning(
            "%d train ROIs were seen by every model and are left out: %s", len(left), names
        )
    return candidates


def describe_candidates(candidates: Sequence[Candidate]) -> str:
    """Say in a line how many candidates are false alarms, and how many of them are out of fold."""
    alarms = [one for one in candidates if one.label != FIGURE_LABEL]
    outside = sum(one.origin == "out-of-fold" for one in alarms)
    return (
        f"{len(candidates)} detections: {len(candidates) - len(alarms)} of figures,"
        f" {len(alarms)} false alarms, {outside} of these out of fold"
    )


def _detect(detector: Detector, rois: Sequence[Roi], out: Path, on_image: OnImage | None) -> None:
    jobs = [job_of(roi, roi.path) for roi in rois if roi.path is not None]
    outcome = infer(jobs, detector, out, on_image=on_image)
    if outcome.failed:
        error = next(iter(outcome.failed.values()))
        raise DetectionsError(error.what, error.fix, error.settings)
