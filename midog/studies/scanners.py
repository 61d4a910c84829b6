"""The trainings that show what a change of scanner costs: one per scanner, and one per scanner left
out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from midog.boxes import MITOTIC_FIGURE
from midog.config.schema import RunConfig
from midog.data.folder import data_fingerprint, read_rois, require_images
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, write_split
from midog.errors import CheckpointError, ConfigError, DataError
from midog.training.loop import train
from midog.training.runs import find_run, is_finished, locked, require_equal

logger = logging.getLogger(__name__)

Design = Literal["both", "single", "leave-one-out"]


@dataclass(frozen=True)
class Training:
    """One training of a study. name: of its run. train_on: scanners it learns from. split: what it
    learns and tests."""

    name: str
    train_on: tuple[str, ...]
    split: Split


def plan_study(rois: Sequence[Roi], design: Design = "both") -> list[Training]:
    """A training on each scanner alone, then one without each scanner; all of them test on the same
    ROIs.

    rois: with their places in a split. Each training learns from the train ROIs of its scanners and
    picks its threshold on their val ROIs, so that it knows nothing of the scanners that it has not
    seen; the test ROIs of all scanners are the test of each. Scanners that cannot be trained on
    alone (no figure in train, or no ROI in val) are left out with a warning. With two scanners,
    leaving one out is training on the other, and is not done twice. Raises DataError where fewer
    than two scanners remain, or there is no ROI in test.
    """
    scanners = _trainable(rois)
    if len(scanners) < 2:
        what = f"scanners with figures in train and ROIs in val: {', '.join(scanners) or 'none'}"
        raise DataError(
            what, "a shift between scanners needs two: give a split that has them with --split"
        )
    if not any(roi.split == "test" for roi in rois):
        raise DataError("the split has no ROI in test", "make one with `midog splits make`")
    slugs = _slugs(scanners)
    plans = []
    if design in ("both", "single"):
        plans += [
            Training(f"only_{slugs[name]}", (name,), _part(rois, (name,))) for name in scanners
        ]
    if design == "leave-one-out" or (design == "both" and len(scanners) > 2):
        for left_out in scanners:
            others = tuple(name for name in scanners if name != left_out)
            plans.append(Training(f"without_{slugs[left_out]}", others, _part(rois, others)))
    return plans


def train_study(
    config: RunConfig,
    *,
    runs: Path | str = "runs",
    design: Design = "both",
    on_training: Callable[[int, int, str], None] = lambda done, total, line: None,
) -> list[Path]:
    """Train what `plan_study` plans of `config.data`; return the folders of the runs that are
    finished.

    Finished runs are skipped and unfinished ones gone on with, so that the same call goes on after
    a break; calls at the same time, each on a GPU of its own, share the trainings out among them.
    runs: folder of runs; the splits are written below it, into .splits/, and named in each run's
    config.
    on_training: told for each training how many came before it, how many there are, and what
    becomes of it. Raises CheckpointError, before anything is trained, where a run of a needed name
    has other settings or data, and ConfigError for several devices.
    """
    if config.machine.devices * config.machine.num_nodes > 1:
        fix = (
            "set machine.devices=1, and start the same command once for each GPU: they share the"
            " trainings out"
        )
        raise ConfigError("the trainings of a study run on one device each", fix)
    root = Path(runs)
    places = root.resolve() / ".splits"
    steps = _prepare(config, root, places, design)
    places.mkdir(parents=True, exist_ok=True)
    folders = []
    for done, (plan, own, theirs) in enumerate(steps):
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(places, f".{plan.name}.lock"))
            except CheckpointError:
                on_training(done, len(steps), f"{plan.name} is being trained by another process")
                continue
            write_split(plan.split, places / f"{plan.name}.csv")
            folder = find_run(root, plan.name)
            if folder is None or not is_finished(folder):
                on_training(
                    done, len(steps), f"{plan.name}: training on {', '.join(plan.train_on)}"
                )
                folder = train(own, name=plan.name, runs=root, rois=theirs)
            else:
                on_training(done, len(steps), f"{plan.name} is done")
            folders.append(folder)
    return folders


def _prepare(
    config: RunConfig, root: Path, places: Path, design: Design
) -> list[tuple[Training, RunConfig, list[Roi]]]:
    """Each training with its config and ROIs; errors as of `train_study`."""
    data = config.data
    rois = read_rois(data.dir, split=data.split, annotations=data.annotations, bbox=data.bbox)
    plans = plan_study(rois, design)
    require_images([roi for roi in rois if roi.split in ("train", "val")])
    steps = []
    for plan in plans:
        theirs = _in(plan.split, rois)
        split = str(places / f"{plan.name}.csv")
        own = config.model_copy(update={"data": data.model_copy(update={"split": split})})
        if (folder := find_run(root, plan.name)) is not None:
            require_equal(
                folder, own, data_fingerprint(theirs), "choose another --runs, or the same settings"
            )
        steps.append((plan, own, theirs))
    return steps


def _trainable(rois: Sequence[Roi]) -> list[str]:
    """Scanners, in the order of the ROIs, that have a figure in train and an ROI in val."""
    known = dict.fromkeys(roi.scanner for roi in rois if roi.split in ("train", "val"))
    learn = {
        roi.scanner
        for roi in rois
        if roi.split == "train" and (roi.boxes.labels == MITOTIC_FIGURE).any()
    }
    tune = {roi.scanner for roi in rois if roi.split == "val"}
    for name in known:
        if name not in learn or name not in tune:
            lacking = "figure in train" if name not in learn else "ROI in val"
            logger.warning(
                "%s has no %s: it is tested on, and no model is trained on it", name, lacking
            )
    return [name for name in known if name in learn and name in tune]


def _part(rois: Sequence[Roi], scanners: Sequence[str]) -> Split:
    """Train and val ROIs of those scanners; test and unlabelled ROIs of all."""
    kept = [roi for roi in rois if roi.split in ("test", "unlabelled") or roi.scanner in scanners]
    rows = (
        SplitRow(roi.file_name, roi.scanner, roi.patient, roi.split, roi.mpp, roi.columns)
        for roi in kept
    )
    return Split(f"trained on {', '.join(scanners)}", tuple(rows))


def _in(split: Split, rois: Sequence[Roi]) -> list[Roi]:
    """The ROIs that the split lists."""
    names = {row.file_name for row in split.rows}
    return [roi for roi in rois if roi.file_name in names]


def _slugs(scanners: Sequence[str]) -> dict[str, str]:
    """Each scanner's name as part of a run's name; two that would be written alike get a number."""
    slugs: dict[str, str] = {}
    for scanner in scanners:
        stem = slug = re.sub(r"[^a-z0-9]+", "_", scanner.lower()).strip("_") or "unknown"
        number = 2
        while slug in slugs.values():
            slug, number = f"{stem}_{number}", number + 1
        slugs[scanner] = slug
    return slugs
