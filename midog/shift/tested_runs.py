"""Trained runs, the ROIs of each, and how its model does on its test ROIs."""

from __future__ import annotations

import itertools
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from midog.config.load import load_config
from midog.data.folder import data_fingerprint, read_rois, require_images, select_rois
from midog.data.roi import Roi
from midog.data.several_folders import Folders, listed_folders
from midog.errors import CheckpointError, DataError, DetectionsError, WeightsError
from midog.evaluation.points import score_rois
from midog.evaluation.written_scores import written_scores
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.image_identity import identity_of
from midog.inference.jobs import job_of
from midog.json_text import read_json
from midog.locks import being_written, held_file
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.scanner_draws import Tested
from midog.names import real_path
from midog.training.runs import is_finished

logger = logging.getLogger(__name__)

Identity = tuple[str, str]
"""File name and digest of the pixels of an ROI."""
OnStep = Callable[[str], None]
OnImage = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ReadRun:
    """A trained run.

    Attributes:
        folder: Of the run.
        rois: Those that it was trained on, validated on and is tested on, and unlabelled ones.
        train_on: Scanners that it was trained on.
    """

    folder: Path
    rois: list[Roi]
    train_on: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name


def read_runs(runs: Sequence[Path | str], data: Folders | None) -> list[ReadRun]:
    """Read runs and their ROIs; links are followed, and a run comes once.

    Args:
        runs: Folders of runs or of their models; what is no run is left out with a warning.
        data: Where the data folder is now, or several are; None: where the runs were trained from.

    Raises:
        CheckpointError: If none is a run, two have one name, or one does not state its data.
        WeightsError: If a run has no model yet.
        DataError: If the data are not those of the run.
    """
    return [_read_run(folder, data) for folder in _distinct(runs)]


def identities(runs: Sequence[ReadRun]) -> dict[Roi, Identity]:
    """Return what distinguishes each ROI from those of all runs, whose data may be copies, or
    different images of one name."""
    rois = [roi for run in runs for roi in run.rois]
    pixels = {path: identity_of(path) for path in {roi.path for roi in rois} if path is not None}
    return {roi: (roi.file_name, "" if roi.path is None else pixels[roi.path]) for roi in rois}


def score_runs(
    runs: Sequence[ReadRun], device: str, on_step: OnStep, on_image: OnImage
) -> list[tuple[str, tuple[str, ...], Mapping[str, Tested]]]:
    """Test each run on the test ROIs of its own split, with its own threshold.

    The detections are kept in RUN/shift/ and not made again.

    Args:
        runs: The runs.
        device: Where to detect.
        on_step: Called with a line as each test begins.
        on_image: Called with the number of images done, and of all.

    Returns:
        Name, scanners trained on, and results by scanner, of each run.

    Raises:
        DetectionsError: If an image cannot be read.
    """
    counts = [len(select_rois(run.rois, "test")) for run in runs]
    done = itertools.count(1)

    def count_image(_name: str, _figures: int | None) -> None:
        on_image(next(done), sum(counts))

    tested: list[tuple[str, tuple[str, ...], Mapping[str, Tested]]] = []
    for number, (run, count) in enumerate(zip(runs, counts, strict=True), 1):
        on_step(f"[{number}/{len(runs)}] {run.name}: testing on {count} ROIs")
        refusal = being_written(f"{run.folder}/shift", DetectionsError)
        with held_file(run.folder / ".shift.lock", refusal):
            tested.append((run.name, run.train_on, _test(run, device, count_image)))
    return tested


def _distinct(runs: Sequence[Path | str]) -> list[Path]:
    """Folders of runs, each once; what is no run is left out with a warning, and nothing left is an
    error."""
    paths = [real_path(run) for run in runs]
    folders = [path.parent if (path / "model.json").is_file() else path for path in paths]
    distinct = []
    for folder in dict.fromkeys(folders):
        if (folder / "config.yaml").is_file():
            distinct.append(folder)
        else:
            logger.warning("%s is no run (it has no config.yaml) and is left out", folder)
    if not distinct:
        raise CheckpointError(
            "none of these is a run", "train some with `midog shift train`, and give their folders"
        )
    names = Counter(folder.name for folder in distinct)
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        raise CheckpointError(
            f"two runs are named {doubled[0]}", "rename one: the report tells them apart by name"
        )
    return distinct


def _read_run(folder: Path, data: Folders | None) -> ReadRun:
    settings = load_config(folder / "config.yaml").data
    if not (folder / "best" / "model.json").is_file():
        raise WeightsError(
            f"run {folder.name} has no model yet", "resume its training, or leave it out"
        )
    if not is_finished(folder):
        logger.warning("run %s is not finished: its best model so far is tested", folder.name)
    where = listed_folders(settings.dir if data is None else data)
    if missing := [one for one in where if not one.exists()]:
        raise DataError(
            f"run {folder.name}: the data folder {missing[0]} does not exist",
            "state where it is now with {data}",
            {"data": None},
        )
    rois = read_rois(
        where,
        split=_moved(settings.split, folder.parent / ".splits"),
        annotations=_moved(settings.annotations, where[0]),
        bbox=settings.bbox,
        classes=settings.classes,
        annotations_format=settings.annotations_format,
        quiet=True,
    )
    if data_fingerprint(rois) != _trained_from(folder):
        what = f"the data or the split are not those that run {folder.name} was trained from"
        raise DataError(what, "so its test ROIs may be among those: put them back, or train anew")
    train_on = tuple(dict.fromkeys(roi.scanner for roi in rois if roi.split == "train"))
    return ReadRun(folder, rois, train_on)


def _trained_from(folder: Path) -> str:
    """The fingerprint of the data of a run."""
    path = folder / "data.json"
    tree = read_json(path, CheckpointError, "train the run anew")
    fingerprint = tree.get("fingerprint") if isinstance(tree, dict) else None
    if not isinstance(fingerprint, str):
        raise CheckpointError(f"{path} states no fingerprint of the data", "train the run anew")
    return fingerprint


def _moved(file: Path | str | None, beside: Path) -> Path | str | None:
    """A file where it was, or the one of its name in `beside` if it exists no more."""
    if file is None or Path(file).is_file():
        return file
    now = beside / Path(file).name
    return now if now.is_file() else file


def _test(
    run: ReadRun, device: str, on_image: Callable[[str, int | None], None]
) -> dict[str, Tested]:
    """Detect in the run's test ROIs, unless that was done, and count by scanner."""
    rois = select_rois(run.rois, "test")
    require_images(rois)
    out = run.folder / "shift"  # its own: `midog infer` may write elsewhere in the run
    detector = Detector.load(run.folder, device=device)
    jobs = [job_of(roi, roi.path) for roi in rois if roi.path is not None]
    try:
        outcome = infer(jobs, detector, out, on_image=on_image)
    except DetectionsError as error:  # of an earlier model or threshold of this run
        logger.info("%s: detecting again", error.what)
        shutil.rmtree(out)
        outcome = infer(jobs, detector, out, on_image=on_image)
    if outcome.failed:  # images that were replaced since, or that cannot be read
        failed = [job for job in jobs if job.name in outcome.failed]
        outcome = infer(failed, detector, out, overwrite=True)
    if outcome.failed:
        damaged = next(iter(outcome.failed.values()))
        raise DetectionsError(damaged.what, damaged.fix, damaged.settings)
    scored = score_rois(out, rois)
    holds_all = not written_scores(out, scored, None).lack
    by_scanner = {
        scanner: [one for one in scored if one.roi.scanner == scanner]
        for scanner in dict.fromkeys(roi.scanner for roi in rois)
    }
    return {
        scanner: Tested(
            [one.counts for one in of_scanner],
            [one.roi.patient_or_name for one in of_scanner],
            PooledMatches.of([one.points for one in of_scanner]) if holds_all else None,
        )
        for scanner, of_scanner in by_scanner.items()
    }
