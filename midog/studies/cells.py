"""A detector on a test set: detected, scored, and kept as arrays from which the table is made."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.data.folder import data_fingerprint, require_images
from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.points import ScoredRoi, score_rois
from midog.evaluation.scoring import matched_rois
from midog.files import make_folder
from midog.inference.batch import infer
from midog.inference.calibration import Calibration
from midog.inference.detector import Detector
from midog.inference.image_levels import measure_calibration
from midog.inference.jobs import Job, job_of
from midog.inference.member import Member
from midog.inference.verified import VerifiedDetector
from midog.locks import being_written, held_file
from midog.metrics.scored_rois import ScoredArrays, joined, write_arrays
from midog.progress import OnImage
from midog.studies.detect import load_detector
from midog.studies.plan import Plan, Planned
from midog.studies.study_settings import VAL


@dataclass(frozen=True)
class Cell:
    """A detector and a test set.

    Attributes:
        detector: The detector.
        test: Name of the test set.
        rois: Its ROIs by data folder.
        file: Where its arrays are kept.
    """

    detector: Planned
    test: str
    rois: Mapping[str, Sequence[Roi]]
    file: Path

    @property
    def is_done(self) -> bool:
        """Whether it is scored."""
        return self.file.is_file()


def cells_of(plan: Plan, detector: Planned, tests: Sequence[str], folder: Path) -> list[Cell]:
    """The cells of a detector.

    Args:
        plan: The plan.
        detector: One of its detectors.
        tests: Names of test sets.
        folder: Of the study.
    """
    cells = []
    for test in tests:
        rois = plan.tested(detector, test)
        facts = [(name, data_fingerprint(theirs)) for name, theirs in sorted(rois.items())]
        digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
        cells.append(Cell(detector, test, rois, folder / "cells" / f"{detector.key}-{digest}.npz"))
    return cells


def fill_cells(
    cells: Sequence[Cell], runs: Sequence[Path], folder: Path, device: str, on_image: OnImage
) -> bool:
    """Detect and score what is left to do of one detector.

    The detections are kept in FOLDER/detections/ and not made again.

    Args:
        cells: Of one detector.
        runs: Folders of its finished trainings, in the order of `Planned.needs`.
        folder: Of the study.
        device: Where to detect.
        on_image: Called after each image.

    Returns:
        False where another process does so now.

    Raises:
        MidogError: An image cannot be read, or the device is out of memory.
    """
    left = [cell for cell in cells if not cell.is_done]
    if not left:
        return True
    detector = left[0].detector
    measured: list[Calibration] = []

    def calibration_of(members: Sequence[Member]) -> Calibration:
        if not measured:  # once for all cells
            measured.append(measure_calibration(members, _levels_of(cells)))
        return measured[0]

    make_folder(folder / "cells")
    lock = folder / "cells" / f".{detector.key}.lock"
    refusal = being_written(lock, DetectionsError)
    try:
        with held_file(lock, refusal):
            for cell in left:
                if not cell.is_done:
                    own = _score(cell, runs, folder, device, on_image, calibration_of)
                    write_arrays(cell.file, own)
    except DetectionsError as error:
        if error is refusal:
            return False
        raise
    return True


def _levels_of(cells: Sequence[Cell]) -> list[Job]:
    """The val ROIs of the scanners that a detector was trained on."""
    return [
        job_of(roi, roi.path)
        for cell in cells
        if cell.test == VAL
        for rois in cell.rois.values()
        for roi in rois
        if roi.scanner in cell.detector.part.train_on and roi.path is not None
    ]


def _score(
    cell: Cell,
    runs: Sequence[Path],
    folder: Path,
    device: str,
    on_image: OnImage,
    calibration_of: Callable[[Sequence[Member]], Calibration],
) -> ScoredArrays:
    detector = cell.detector
    models, looks = runs[: len(detector.trainings)], runs[len(detector.trainings) :]
    options, second = detector.row.detect, next(iter(looks), None)
    parts = []
    for name, rois in cell.rois.items():
        require_images(rois)
        jobs = [job_of(roi, roi.path) for roi in rois if roi.path is not None]
        out = folder / "detections" / detector.key / name
        model = load_detector(models, options, device, second, calibration_of)
        speed = _detect(jobs, model, out, on_image)
        with _unsaid():
            scored = score_rois(out, rois)
        parts.append(_arrays(scored, model.threshold, speed))
    return _in_order(joined(parts), [roi.file_name for rois in cell.rois.values() for roi in rois])


def _in_order(scored: ScoredArrays, names: Sequence[str]) -> ScoredArrays:
    place = {name: number for number, name in enumerate(scored.names)}
    return scored.select([place[name] for name in names])


@contextmanager
def _unsaid() -> Iterator[None]:
    """Leave out what scoring remarks on a folder: it holds the ROIs of other tests as well, and the
    table holds the counts."""
    logger = logging.getLogger("midog.evaluation")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _detect(
    jobs: Sequence[Job], model: Detector | VerifiedDetector, out: Path, on_image: OnImage
) -> float:
    """Detect, unless that was done; ms per 10^6 px, NaN where nothing was left to do."""
    make_folder(out.parent)
    try:
        outcome = infer(jobs, model, out, on_image=on_image)
    except DetectionsError:  # of an earlier version or other settings
        shutil.rmtree(out)
        outcome = infer(jobs, model, out, on_image=on_image)
    if outcome.failed:
        first = next(iter(outcome.failed.values()))
        raise DetectionsError(first.what, first.fix, first.settings)
    return outcome.ms_per_megapixel


def _arrays(scored: Sequence[ScoredRoi], threshold: float, speed: float) -> ScoredArrays:
    matched = matched_rois(scored)
    return ScoredArrays(
        tuple(one.roi.file_name for one in scored),
        tuple(one.roi.scanner for one in scored),
        tuple(one.roi.patient_or_name for one in scored),
        np.asarray(matched.areas_mm2, np.float64),
        matched.matches,
        threshold,
        speed,
    )
