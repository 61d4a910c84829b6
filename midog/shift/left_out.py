"""A model's threshold from runs like it that left scanners out, each scored on what it left out."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.config.load import load_config
from midog.data.folder import select_rois
from midog.data.roi import Roi
from midog.data.several_folders import Folders
from midog.errors import DataError, DetectionsError
from midog.evaluation.goals import Goal
from midog.evaluation.points import ScoredRoi, score_rois
from midog.evaluation.tuning import Tuned, check_unseen, detect_rois, tuned_on
from midog.inference.detector import Detector
from midog.inference.ensemble_folder import is_ensemble
from midog.inference.model_card import CARD, read_card
from midog.inference.model_folder import find_folder
from midog.inference.stored_threshold import LeftOutRun, Tuning, store_threshold
from midog.shift.tested_runs import ReadRun, read_runs

logger = logging.getLogger(__name__)

COLUMN = "scanner"
_OF_THE_MODEL = ("model.", "sampling.", "augment.", "train.", "inference.", "data.mpp")
_MAY_DIFFER = {"train.seed", "train.save_minutes", "train.pictures", "train.max_skipped"}

OnImage = Callable[[str, int | None], None]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A run and the val ROIs of the scanners that it was not trained on.

    Attributes:
        run: The run.
        scanners: Those that it left out.
        rois: Their val ROIs.
    """

    run: ReadRun
    scanners: tuple[str, ...]
    rois: tuple[Roi, ...]


def tune_left_out(
    model: Path | str,
    rois: Sequence[Roi],
    runs: Sequence[Path | str],
    goal: Goal,
    *,
    data: Folders | None = None,
    other_data: bool = False,
    orientations: int = 1,
    mpp: float | None = None,
    device: str = "auto",
    on_image: OnImage | None = None,
) -> Tuned:
    """Choose a model's threshold as it transfers to scanners that training did not see; store it.

    Each run detects in the val ROIs of the scanners that it was not trained on, and the threshold
    is chosen on these detections together, by the rule of `tune`. No test ROI is read.

    Args:
        model: The folder of the model or run whose threshold it will be.
        rois: All that `read_rois` gave, in the model's split.
        runs: Folders of runs of `midog shift train`, which are trained as the model is, without one
            scanner or several; each scanner of train is left out by exactly one.
        goal: What the threshold is chosen for.
        data: Where the runs' data are now; None: where they were trained from.
        other_data: The model was trained by another split than `rois`.
        orientations: In which images are shown, as of `tune`.
        mpp: um/px of the ROIs; None: each ROI's own, or that of its image.
        device: Where to detect.
        on_image: Called with the name and the number of figures of each image.

    Raises:
        WeightsError: If a model cannot be read.
        CheckpointError: If one of `runs` is no run.
        DataError: If a run leaves no scanner out, a scanner is left out by none or by two, or a
            run's split is no part of this one.
        DetectionsError: As of `tune`. The model then stays as it was.
    """
    folder = find_folder(Path(model).expanduser())
    if is_ensemble(folder):
        raise DetectionsError(
            f"{model} is an ensemble, whose scores have another scale than those of single runs",
            "tune it on val, without {leave_out}",
            {"leave_out": None},
        )
    card, config = read_card(folder / CARD)
    if not other_data:
        check_unseen(card.model_extra or {}, rois, folder / CARD)
    shares = share_out(rois, read_runs(runs, data))
    scored, used = list[ScoredRoi](), list[LeftOutRun]()
    for share in shares:
        settings = load_config(share.run.folder / "config.yaml").by_key()
        _warn_of_differences(share.run.name, settings, config.by_key())
        detector = Detector.load(share.run.folder, device=device, orientations=orientations)
        with tempfile.TemporaryDirectory() as scratch:
            detect_rois(detector, share.rois, Path(scratch), mpp, on_image)
            scored += score_rois(Path(scratch), share.rois, threshold=0, mpp=mpp)
        weights = read_card(find_folder(share.run.folder) / CARD)[0].weights_sha256[:16]
        names = tuple(roi.file_name for roi in share.rois)
        used.append(
            LeftOutRun(share.run.name, weights, settings["train.seed"], share.scanners, names)
        )
    tuned = tuned_on(scored, goal, before=card.threshold)
    tuning = Tuning(str(goal), "val", len(scored), COLUMN, tuple(used))
    store_threshold(folder / CARD, tuned.threshold, tuning, orientations)
    return tuned


def share_out(rois: Sequence[Roi], runs: Sequence[ReadRun]) -> list[LeftOut]:
    """Find out which run left which scanners out, and the val ROIs that it is scored on.

    Args:
        rois: Of the model's split.
        runs: The runs.

    Returns:
        The runs by their names.

    Raises:
        DataError: As of `tune_left_out`.
    """
    val = select_rois(rois, "val")
    trained = {roi.scanner for roi in rois if roi.split == "train"}
    if never := sorted({roi.scanner for roi in val} - trained):
        logger.warning("val has %s, which train has not: left out here", ", ".join(never))
    wanted = [
        scanner for scanner in dict.fromkeys(roi.scanner for roi in val) if scanner in trained
    ]
    by_scanner: dict[str, ReadRun] = {}
    shares = []
    for run in sorted(runs, key=lambda run: run.name):
        _require_part(run, rois)
        seen = {roi.scanner for roi in run.rois if roi.split in ("train", "val")}
        scanners = tuple(scanner for scanner in wanted if scanner not in seen)
        if not scanners:
            raise DataError(
                f"run {run.name} was trained on every {COLUMN} of val ({', '.join(wanted)}): it"
                " leaves none out to be scored on",
                "give runs of `midog shift train --design leave-one-out`",
            )
        for scanner in scanners:
            first = by_scanner.setdefault(scanner, run)
            if first is not run:
                raise DataError(
                    f"runs {first.name} and {run.name} both leave {scanner} out",
                    "give one run for each scanner",
                )
        chosen = tuple(roi for roi in val if roi.scanner in scanners)
        shares.append(LeftOut(run, scanners, chosen))
    if lacking := [scanner for scanner in wanted if scanner not in by_scanner]:
        raise DataError(
            f"no run leaves {', '.join(lacking)} out",
            "train it with `midog shift train --design leave-one-out`, and give all of its runs",
        )
    return shares


def _require_part(run: ReadRun, rois: Sequence[Roi]) -> None:
    """The run's ROIs must be among these, the same and in the same roles: else what it was trained
    on may be val here."""
    own = {roi.file_name: roi for roi in rois}
    for roi in run.rois:
        here = own.get(roi.file_name)
        if here is None:
            raise DataError(
                f"run {run.name} has {roi.file_name}, which this split lacks: the splits disagree",
                "give the split that the runs' splits were made of",
            )
        for name, theirs, ours in (
            ("role", roi.split, here.split),
            (COLUMN, roi.scanner, here.scanner),
            ("patient", roi.patient, here.patient),
        ):
            if theirs != ours:
                raise DataError(
                    f"{roi.file_name} has the {name} {theirs} in run {run.name}, {ours} in this"
                    " split: the splits disagree",
                    "give the split that the runs' splits were made of",
                )
        same = np.array_equal(roi.boxes.xyxy, here.boxes.xyxy)
        if not (same and np.array_equal(roi.boxes.labels, here.boxes.labels)):
            raise DataError(
                f"{roi.file_name} is annotated otherwise in run {run.name} than here",
                "give the data that the runs were trained from",
            )


def _warn_of_differences(name: str, run: Mapping[str, object], model: Mapping[str, object]) -> None:
    """A line on the settings in which a run differs from the model whose threshold it chooses."""
    keys = [
        key
        for key in {**model, **run}
        if key.startswith(_OF_THE_MODEL)
        and key not in _MAY_DIFFER
        and run.get(key) != model.get(key)
    ]
    if keys:
        logger.warning(
            "run %s was trained with another %s than the model: its scores may have another scale",
            name,
            ", ".join(keys),
        )
