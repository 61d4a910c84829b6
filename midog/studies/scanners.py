"""The scanner study: trainings on single scanners, and on all but one, tested on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from midog.config.schema import DataSettings, RunConfig
from midog.data.folder import read_rois, require_images
from midog.data.roi import Roi
from midog.studies.designs import (
    Part,
    leave_each_out,
    listed_in,
    plan_single,
    require_two,
)
from midog.studies.trainings import (
    Training,
    require_one_device,
    require_same,
    split_file,
    train_one,
)

Design = Literal["both", "single", "leave-one-out"]


def plan_study(rois: Sequence[Roi], design: Design = "both") -> list[Part]:
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
    parts = plan_single(rois) if design in ("both", "single") else []
    scanners = [part.train_on[0] for part in parts] or require_two(rois)
    if design == "leave-one-out" or (design == "both" and len(scanners) > 2):
        parts += leave_each_out(rois, scanners)
    return parts


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
    require_one_device(config.machine)
    root = Path(runs)
    rois = _read(config.data)
    trainings = []
    for part in plan_study(rois, design):
        own = config.with_values(data={"split": str(split_file(root, part.name))})
        theirs, about = listed_in(part.split, rois), ", ".join(part.train_on)
        trainings.append(Training(part.name, own, part.split, theirs, about))
    require_images([roi for roi in rois if roi.split in ("train", "val")])
    for training in trainings:
        require_same(root, training)
    folders = []
    for done, training in enumerate(trainings):
        report = partial(on_training, done, len(trainings))
        if (folder := train_one(training, root, report)) is not None:
            folders.append(folder)
    return folders


def _read(settings: DataSettings) -> list[Roi]:
    return read_rois(
        settings.dir,
        split=settings.split,
        annotations=settings.annotations,
        bbox=settings.bbox,
        classes=settings.classes,
        annotations_format=settings.annotations_format,
    )
