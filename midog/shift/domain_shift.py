"""Measures domain shift: reads trained runs, tests each on every scanner, and measures how far
apart scanners are."""

from __future__ import annotations

import itertools
import json
import logging
import math
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.config.load import load_config
from midog.data.folder import data_fingerprint, read_rois, require_images, select_rois
from midog.data.roi import Roi
from midog.errors import CheckpointError, DataError, DetectionsError, WeightsError
from midog.evaluation.points import score_rois
from midog.evaluation.scoring import LEVEL, RESAMPLES
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.inference.output_folder import identity_of
from midog.metrics.rank_correlation import RankCorrelation, rank_correlation
from midog.metrics.scanner_matrix import Loss, Matrix, Tested, build_matrix, losses
from midog.metrics.value_mix import compare_mixes
from midog.shift.distances import FEATURE_DISTANCES, project
from midog.shift.features import Distances, Looks, distances_between, distances_within, look
from midog.shift.images import IMAGE_DISTANCES
from midog.shift.result import Confounder, Pair, ShiftResult
from midog.training.runs import is_finished

logger = logging.getLogger(__name__)

SAMPLES = 6
"""Patches of each scanner that the report shows."""
# total variation between two mixes of values from which a column is said to go with the scanner,
_MIXED = 0.25
_CHANCE = 0.01  # if chance has it no more often than this

Identity = tuple[str, str]
Says = Callable[[str], None]
Moves = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ReadRun:
    """A trained run and the ROIs that it learned from and is tested on."""

    folder: Path
    rois: list[Roi]
    train_on: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name


def domain_shift(
    runs: Sequence[Path | str],
    *,
    data: Path | str | None = None,
    device: str = "auto",
    per_roi: int = 16,
    patch_px: int = 256,
    resamples: int = RESAMPLES,
    seed: int = 0,
    on_step: Says = lambda line: None,
    on_image: Moves = lambda done, total: None,
) -> ShiftResult:
    """How far apart the scanners are, and how much F1 that costs, by trained models.

    runs: folders of runs; links are followed and doubles dropped. Each is tested on the test ROIs
    of its own split, with its own threshold; what it finds is kept in RUN/shift/ and not detected
    again.
    data: where the data folder is now, if it is not where the runs were trained from.
    per_roi, patch_px: patches of each ROI, and their side in px, of which the distances are
    measured. They come from ROIs that are test or unlabelled to one of the runs at least: a model
    may know what it learned from by heart.
    resamples, seed: of the 95 % bootstrap over patients.
    on_step: told what is begun. on_image: how many images of all tests are done, and how many there
    are. Raises CheckpointError for what is no run, WeightsError for one without a model, DataError
    where the data are not those of the run.
    """
    read = [_read_run(folder, data) for folder in _distinct(runs)]
    matrix = build_matrix(
        _test_all(read, device, on_step, on_image), resamples=resamples, seed=seed
    )
    on_step("measuring images and features")
    models = {run.name: run.folder for run in _models(read, matrix)}
    known = _identities(read)
    unlearned = {
        known[roi]: roi for run in read for roi in run.rois if roi.split in ("test", "unlabelled")
    }
    looks = look(
        list(unlearned.values()),
        models,
        size_px=patch_px,
        per_roi=per_roi,
        seed=seed,
        device=device,
    )
    return _result(read, known, matrix, looks, resamples, seed)


def _models(read: Sequence[ReadRun], matrix: Matrix) -> list[ReadRun]:
    """Runs whose features are wanted: the one that saw most scanners, then those of the losses."""
    reference = max(read, key=lambda run: len(run.train_on))
    names = {loss.model for loss in losses(matrix)}
    return [reference, *(run for run in read if run.name in names and run is not reference)]


def _result(
    read: Sequence[ReadRun],
    known: Mapping[Roi, Identity],
    matrix: Matrix,
    looks: Looks,
    resamples: int,
    seed: int,
) -> ShiftResult:
    lost = losses(matrix)
    distances = _loss_distances(lost, looks, seed)
    model, features = next(iter(looks.features.items()))
    pairs = distances_between(looks, model, list(itertools.combinations(looks.stats, 2)), seed=seed)
    rois = {known[roi]: roi for run in read for roi in run.rois}
    points = project(list(features.vectors.values()))
    return ShiftResult(
        matrix=matrix,
        same_test=len(
            {frozenset(known[roi] for roi in select_rois(run.rois, "test")) for run in read}
        )
        == 1,
        losses=tuple(lost),
        loss_distances=tuple(distances),
        correlations=_correlations(lost, distances),
        images=looks.stats,
        pairs=tuple(Pair(a, b, apart) for (a, b), apart in pairs.items()),
        within=distances_within(looks, model, seed=seed),
        feature_model=model,
        projection=dict(zip(features.vectors, points, strict=True)),
        samples={
            each.scanner: each.images[_spread(len(each.images), SAMPLES)] for each in looks.patches
        },
        unlabelled=tuple(each.scanner for each in looks.patches if not each.labelled),
        confounders=tuple(find_confounders(list(rois.values()))),
        patches=looks.words,
        level=LEVEL,
        resamples=resamples,
        seed=seed,
    )


def _distinct(runs: Sequence[Path | str]) -> list[Path]:
    """Folders of runs, each once; what is no run is left out with a warning, and nothing left is an
    error."""
    paths = list(dict.fromkeys(Path(each).expanduser().resolve() for each in runs))
    paths = list(
        dict.fromkeys(path.parent if (path / "model.json").is_file() else path for path in paths)
    )
    found = [path for path in paths if (path / "config.yaml").is_file()]
    for path in paths:
        if path not in found:
            logger.warning("%s is no run (it has no config.yaml) and is left out", path)
    if not found:
        raise CheckpointError(
            "none of these is a run", "train some with `midog shift train`, and give their folders"
        )
    names = Counter(path.name for path in found)
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        raise CheckpointError(
            f"two runs are named {doubled[0]}", "rename one: the report tells them apart by name"
        )
    return found


def _read_run(folder: Path, data: Path | str | None) -> ReadRun:
    config = load_config(folder / "config.yaml").data
    if not (folder / "best" / "model.json").is_file():
        raise WeightsError(
            f"run {folder.name} has no model yet", "go on with its training, or leave it out"
        )
    if not is_finished(folder):
        logger.warning("run %s is not finished: its best model so far is tested", folder.name)
    where = config.dir if data is None else Path(data)
    if not where.exists():
        raise DataError(
            f"run {folder.name}: there is no data folder {where}", "say where it is now with --data"
        )
    split = _moved(config.split, folder.parent / ".splits")
    rois = read_rois(
        where,
        split=split,
        annotations=_moved(config.annotations, where),
        bbox=config.bbox,
        quiet=True,
    )
    try:
        trained_from = json.loads((folder / "data.json").read_text(encoding="utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(f"{folder}/data.json cannot be read", "train the run anew") from None
    if data_fingerprint(rois) != trained_from:
        what = f"the data or the split are not those that run {folder.name} was trained from"
        raise DataError(what, "so its test ROIs may be among those: put them back, or train anew")
    train_on = tuple(dict.fromkeys(roi.scanner for roi in rois if roi.split == "train"))
    return ReadRun(folder, rois, train_on)


def _moved(file: Path | str | None, beside: Path) -> Path | str | None:
    """A file where it was, or the one of its name in `beside` where it is not there any more."""
    if file is None or Path(file).is_file():
        return file
    now = beside / Path(file).name
    return now if now.is_file() else file


def _identities(read: Sequence[ReadRun]) -> dict[Roi, Identity]:
    """By what each ROI is known among those of all runs, whose data may be copies, or others with
    files of one name."""
    rois = [roi for run in read for roi in run.rois]
    pixels = {path: identity_of(path) for path in {roi.path for roi in rois} if path is not None}
    return {roi: (roi.file_name, "" if roi.path is None else pixels[roi.path]) for roi in rois}


def _test_all(
    read: Sequence[ReadRun], device: str, on_step: Says, on_image: Moves
) -> list[tuple[str, tuple[str, ...], dict[str, Tested]]]:
    """Name, scanners trained on, and what it did in its test ROIs, of each run."""
    counts = [len(select_rois(run.rois, "test")) for run in read]
    done = itertools.count(1)
    tested = []
    for number, (run, count) in enumerate(zip(read, counts, strict=True), 1):
        on_step(f"[{number}/{len(read)}] {run.name}: testing on {count} ROIs")
        found = _test(run, device, lambda name, figures: on_image(next(done), sum(counts)))
        tested.append((run.name, run.train_on, found))
    return tested


def _test(
    run: ReadRun, device: str, on_image: Callable[[str, int | None], None]
) -> dict[str, Tested]:
    """Detect in the run's test ROIs, unless that was done, and count by scanner."""
    rois = select_rois(run.rois, "test")
    require_images(rois)
    out = run.folder / "shift"  # nobody else's: `midog infer` may write elsewhere in the run
    detector = Detector.load(run.folder, device=device)
    jobs = [Job(roi.path, roi.mpp) for roi in rois if roi.path is not None]
    try:
        outcome = infer(jobs, detector, out, on_image=on_image)
    except DetectionsError as error:  # of an earlier model or threshold of this run
        logger.info("%s: detecting again", error.what)
        shutil.rmtree(out)
        outcome = infer(jobs, detector, out, on_image=on_image)
    if outcome.failed:  # images that were replaced since, or that cannot be read
        failed = [job for job in jobs if job.path.name in outcome.failed]
        outcome = infer(failed, detector, out, overwrite=True)
    if outcome.failed:
        damaged = next(iter(outcome.failed.values()))
        raise DetectionsError(damaged.what, damaged.fix, damaged.settings)
    scored = score_rois(out, rois)
    return {
        scanner: Tested(
            [each.counts for each in scored if each.roi.scanner == scanner],
            [each.roi.patient_or_name for each in scored if each.roi.scanner == scanner],
        )
        for scanner in dict.fromkeys(roi.scanner for roi in rois)
    }


def _loss_distances(lost: Sequence[Loss], looks: Looks, seed: int) -> list[Distances]:
    """Distances of each loss's scanner from those that the model trained on, mean over these, in
    its own features."""
    pairs = {
        loss: [
            (each, loss.scanner)
            for each in loss.train_on
            if {each, loss.scanner} <= set(looks.stats)
        ]
        for loss in lost
    }
    apart = {}
    for model in dict.fromkeys(loss.model for loss in lost):
        theirs = [pair for loss in lost if loss.model == model for pair in pairs[loss]]
        apart[model] = distances_between(looks, model, theirs, seed=seed)
    found = []
    for loss in lost:
        each = [apart[loss.model][pair] for pair in pairs[loss]]
        names = (*IMAGE_DISTANCES, *FEATURE_DISTANCES)
        found.append(
            {
                name: float(np.mean([one[name] for one in each])) if each else math.nan
                for name in names
            }
        )
    return found


def _correlations(
    lost: Sequence[Loss], distances: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, RankCorrelation]]:
    return {
        name: {
            drop: rank_correlation(
                [each[name] for each in distances], [getattr(loss, drop) for loss in lost]
            )
            for drop in ("from_own", "from_native")
        }
        for name in (*IMAGE_DISTANCES, *FEATURE_DISTANCES)
    }


def find_confounders(rois: Sequence[Roi]) -> list[Confounder]:
    """Columns of few values, such as the tumour, whose mix is not the same for all labelled
    scanners.

    That is, the total variation between the mixes of two scanners is over 0.25, and dealing the
    scanners anew to the patients makes it as large in 1 % of 999 permutations at most.
    """
    labelled = [roi for roi in rois if roi.split != "unlabelled"]
    scanners, patients = (
        [roi.scanner for roi in labelled],
        [roi.patient_or_name for roi in labelled],
    )
    found = []
    columns = dict.fromkeys(name for roi in labelled for name in roi.columns)
    for column in (name for name in columns if name.strip().lower() != "scanner"):
        values = [roi.columns.get(column, "unknown") for roi in labelled]
        if not 1 < len(set(values)) <= len(labelled) // 4:
            continue  # the same everywhere, or different for nearly every ROI
        mixed = compare_mixes(scanners, patients, values)
        if mixed.distance > _MIXED and mixed.p <= _CHANCE:
            table: dict[str, Counter[str]] = {}
            for scanner, value in zip(scanners, values, strict=True):
                table.setdefault(scanner, Counter())[value] += 1
            found.append(
                Confounder(column, {scanner: dict(counts) for scanner, counts in table.items()})
            )
    return found


def _spread(count: int, wanted: int) -> list[int]:
    """Places of up to that many items, evenly over `count`."""
    return [
        int(each) for each in np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int))
    ]
