"""The scanner study: trainings on single scanners, and on all but one, tested on all of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from midog.boxes import MITOTIC_FIGURE
from midog.config.schema import DataSettings, RunConfig
from midog.data.folder import data_fingerprint, read_rois, require_images
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, write_split
from midog.errors import CheckpointError, ConfigError, DataError
from midog.locks import being_written, held_file
from midog.names import real_path
from midog.training.identity import Identity
from midog.training.resume import require_identical
from midog.training.runs import find_run, is_finished
from midog.training.train import train

logger = logging.getLogger(__name__)

Design = Literal["both", "single", "leave-one-out"]


@dataclass(frozen=True)
class Training:
    """One training of a study.

    name: of its run. train_on: its scanners. split: its ROIs by role.
    """

    name: str
    train_on: tuple[str, ...]
    split: Split


def plan_study(rois: Sequence[Roi], design: Design = "both") -> list[Training]:
    """Plan a training on every scanner alone, then one without every scanner.

    A training uses the train ROIs of its scanners and chooses its threshold on their val ROIs, so
    that nothing of the other scanners enters it; all trainings are tested on the test ROIs of all
    scanners. Scanners that cannot be trained on alone (no figure in train, or no ROI in val) are
    left out with a warning. With two scanners, leaving one out is training on the other, and is
    not done twice.

    Args:
        rois: With their places in a split.
        design: Which of the two kinds of training.

    Raises:
        DataError: Fewer than two scanners remain, or no ROI is in test.
    """
    scanners = _trainable(rois)
    if len(scanners) < 2:
        what = f"scanners with figures in train and ROIs in val: {', '.join(scanners) or 'none'}"
        raise DataError(
            what,
            "a shift between scanners needs two: name a split that has them in {data.split}",
            {"data.split": None},
        )
    if not any(roi.split == "test" for roi in rois):
        raise DataError("the split has no ROI in test", "make one with `midog splits make`")
    slugs = _slugs(scanners)
    trainings = []
    if design in ("both", "single"):
        trainings += [
            Training(f"only_{slugs[name]}", (name,), _part(rois, (name,))) for name in scanners
        ]
    if design == "leave-one-out" or (design == "both" and len(scanners) > 2):
        for left_out in scanners:
            others = tuple(name for name in scanners if name != left_out)
            trainings.append(Training(f"without_{slugs[left_out]}", others, _part(rois, others)))
    return trainings


def train_study(
    config: RunConfig,
    *,
    runs: Path | str = "runs",
    design: Design = "both",
    on_training: Callable[[int, int, str], None] = lambda done, total, line: None,
) -> list[Path]:
    """Train what `plan_study` plans for the ROIs of `config.data`.

    Finished runs are skipped and unfinished ones are resumed, so that the same call continues after
    an interruption; calls at the same time, on a GPU each, share the trainings out among them.

    Args:
        config: Of all runs, but for their splits.
        runs: Folder of runs; the splits are written below it, into .splits/, and named in the
            config of each run.
        design: As of `plan_study`.
        on_training: Called for each training with the number of those before it, the number of all,
            and a line on what becomes of it.

    Returns:
        The folders of the finished runs.

    Raises:
        CheckpointError: A run of a planned name has other settings or data; nothing is trained.
        ConfigError: The settings name several devices.
        MidogError: As of `plan_study` and `train`.
    """
    if config.machine.devices * config.machine.num_nodes > 1:
        raise ConfigError(
            "the trainings of a study run on one device each",
            "use {machine.devices}, and start the same command once for each GPU: they share the"
            " trainings out",
            {"machine.devices": 1},
        )
    root = Path(runs)
    splits = real_path(root) / ".splits"
    prepared = []
    for training, rois in _read(config.data, design):
        split = str(splits / f"{training.name}.csv")
        data = config.data.model_copy(update={"split": split})
        own = config.model_copy(update={"data": data})
        _require_same(root, training.name, Identity(own, data_fingerprint(rois)))
        prepared.append((training, own, rois))
    splits.mkdir(parents=True, exist_ok=True)
    folders: list[Path] = []
    for done, (training, own, rois) in enumerate(prepared):
        train_it = partial(train, own, name=training.name, runs=root, rois=rois)
        report = partial(on_training, done, len(prepared))
        folders += _train_one(training, root, train_it, report)
    return folders


def _train_one(
    training: Training,
    runs: Path,
    train_it: Callable[[], Path],
    report: Callable[[str], None],
) -> list[Path]:
    """Train one run of a study where that is left to do; its folder, if it is finished then."""
    name, splits = training.name, real_path(runs) / ".splits"
    with ExitStack() as stack:
        try:
            lock = splits / f".{name}.lock"
            stack.enter_context(held_file(lock, being_written(lock, CheckpointError)))
        except CheckpointError:
            report(f"{name} is being trained by another process")
            return []
        write_split(training.split, splits / f"{name}.csv")
        folder = find_run(runs, name)
        if folder is not None and is_finished(folder):
            report(f"{name} is done")
            return [folder]
        report(f"{name}: training on {', '.join(training.train_on)}")
        return [train_it()]


def _read(settings: DataSettings, design: Design) -> list[tuple[Training, list[Roi]]]:
    """The planned trainings with their ROIs."""
    rois = read_rois(
        settings.dir,
        split=settings.split,
        annotations=settings.annotations,
        bbox=settings.bbox,
        classes=settings.classes,
    )
    trainings = plan_study(rois, design)
    require_images([roi for roi in rois if roi.split in ("train", "val")])
    return [(training, _listed(training.split, rois)) for training in trainings]


def _require_same(runs: Path, name: str, identity: Identity) -> None:
    if (folder := find_run(runs, name)) is not None:
        fix = "choose another {runs}, or the same settings"
        require_identical(folder, identity, fix, {"runs": None})


def _trainable(rois: Sequence[Roi]) -> list[str]:
    """Scanners, in the order of the ROIs, that have a figure in train and an ROI in val."""
    scanners = dict.fromkeys(roi.scanner for roi in rois if roi.split in ("train", "val"))
    with_figures = {
        roi.scanner
        for roi in rois
        if roi.split == "train" and (roi.boxes.labels == MITOTIC_FIGURE).any()
    }
    with_val = {roi.scanner for roi in rois if roi.split == "val"}
    for name in scanners:
        if name not in with_figures or name not in with_val:
            lacking = "figure in train" if name not in with_figures else "ROI in val"
            logger.warning(
                "%s has no %s: it is tested on, and no model is trained on it", name, lacking
            )
    return [name for name in scanners if name in with_figures and name in with_val]


def _part(rois: Sequence[Roi], scanners: Sequence[str]) -> Split:
    """Train and val ROIs of those scanners; test and unlabelled ROIs of all."""
    kept = [roi for roi in rois if roi.split in ("test", "unlabelled") or roi.scanner in scanners]
    rows = (
        SplitRow(roi.file_name, roi.scanner, roi.patient, roi.split, roi.mpp, roi.columns)
        for roi in kept
    )
    return Split(f"trained on {', '.join(scanners)}", tuple(rows))


def _listed(split: Split, rois: Sequence[Roi]) -> list[Roi]:
    """The ROIs that the split lists."""
    names = {row.file_name for row in split.rows}
    return [roi for roi in rois if roi.file_name in names]


def _slugs(scanners: Sequence[str]) -> dict[str, str]:
    """Every scanner's name as part of a run's name; two that would be equal get a number."""
    slugs: dict[str, str] = {}
    for scanner in scanners:
        stem = slug = re.sub(r"[^a-z0-9]+", "_", scanner.lower()).strip("_") or "unknown"
        number = 2
        while slug in slugs.values():
            slug, number = f"{stem}_{number}", number + 1
        slugs[scanner] = slug
    return slugs
