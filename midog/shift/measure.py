"""Measures domain shift: reads trained runs, tests each on every scanner, and measures how far apart scanners are."""

from __future__ import annotations

import itertools
import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.config import load_config
from midog.data.annotations import Roi
from midog.data.folder import data_fingerprint, read_rois, require_images, select_rois
from midog.errors import CheckpointError, DataError, DetectionsError, WeightsError
from midog.evaluation.points import score_rois
from midog.evaluation.scoring import LEVEL, RESAMPLES, patient_of
from midog.inference.detect import Detector
from midog.inference.folder import Job, infer
from midog.inference.outputs import identity_of
from midog.metrics.shift import Loss, RankCorrelation, Tested, build_matrix, losses, rank_correlation
from midog.shift.distances import FEATURE_DISTANCES, feature_distances, project, reduce
from midog.shift.features import Features, backbone_features
from midog.shift.images import IMAGE_DISTANCES, ImageStats, image_distances, image_stats
from midog.shift.patches import ScannerPatches, fixed_patches
from midog.shift.result import Confounder, Pair, ShiftResult
from midog.training.runs import is_finished

logger = logging.getLogger(__name__)

SAMPLES = 6
"""Patches of each scanner that the report shows."""
_MIXED = 0.25  # total variation between two mixes of values from which a column is said to go with the scanner

Says = Callable[[str], None]


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
    per_roi: int = 8,
    patch_px: int = 256,
    resamples: int = RESAMPLES,
    seed: int = 0,
    on_step: Says = lambda line: None,
    on_image: Callable[[str, int | None], None] | None = None,
) -> ShiftResult:
    """How far apart the scanners are, and how much F1 that costs, by trained models.

    runs: folders of runs; links are followed and doubles dropped. Each is tested on the test ROIs of its own split,
        with its own threshold; what it finds is kept in RUN/detections/ and not detected again.
    data: where the data folder is now, if it is not where the runs were trained from.
    per_roi, patch_px: patches of each ROI, and their side in px at 0.25 um/px, of which the distances are measured.
    resamples, seed: of the 95 % bootstrap over patients.
    Raises CheckpointError for what is no run, WeightsError for one without a model, DataError where the data are not
    those of the run.
    """
    read = [_read_run(folder, data) for folder in _distinct(runs)]
    tested = []
    for number, run in enumerate(read, 1):
        on_step(f"[{number}/{len(read)}] {run.name}: testing on {len(select_rois(run.rois, 'test'))} ROIs")
        tested.append((run.name, run.train_on, _test(run, device, on_image)))
    matrix = build_matrix(tested, resamples=resamples, seed=seed)
    images = _identities(read)
    everything = list({images[roi]: roi for run in read for roi in run.rois}.values())
    on_step("measuring images and features")
    patches = fixed_patches(everything, size_px=patch_px, per_roi=per_roi, seed=seed)
    stats = {each.scanner: image_stats(each.images) for each in patches}
    lost = losses(matrix)
    reference = max(read, key=lambda run: len(run.train_on))
    wanted = {reference.name} | {loss.model for loss in lost}
    features = {run.name: _features(run, patches, device) for run in read if run.name in wanted}
    pairs = _pairs(patches, stats, features[reference.name], seed)
    distances = [_loss_distances(loss, patches, stats, features[loss.model], seed) for loss in lost]
    points = project(list(features[reference.name].values()))
    return ShiftResult(
        matrix=matrix,
        same_test=len({frozenset(images[roi] for roi in select_rois(run.rois, "test")) for run in read}) == 1,
        losses=tuple(lost),
        loss_distances=tuple(distances),
        correlations=_correlations(lost, distances),
        images=stats,
        pairs=tuple(pairs),
        feature_model=reference.name,
        projection=dict(zip(features[reference.name], points, strict=True)),
        samples={each.scanner: each.images[_spread(len(each.images), SAMPLES)] for each in patches},
        unlabelled=tuple(each.scanner for each in patches if not each.labelled),
        confounders=tuple(find_confounders(everything)),
        patches=f"{per_roi} patches of {patch_px} px at 0.25 um/px from each ROI, places of seed {seed}",
        level=LEVEL,
        resamples=resamples,
        seed=seed,
    )


def _distinct(runs: Sequence[Path | str]) -> list[Path]:
    """Folders of runs, each once; what is no run is left out with a warning, and nothing left is an error."""
    paths = list(dict.fromkeys(Path(each).expanduser().resolve() for each in runs))
    paths = list(dict.fromkeys(path.parent if (path / "model.json").is_file() else path for path in paths))
    found = [path for path in paths if (path / "config.yaml").is_file()]
    for path in paths:
        if path not in found:
            logger.warning("%s is no run (it has no config.yaml) and is left out", path)
    if not found:
        raise CheckpointError("none of these is a run", "train some with `midog shift train`, and give their folders")
    names = Counter(path.name for path in found)
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        raise CheckpointError(f"two runs are named {doubled[0]}", "rename one: the report tells them apart by name")
    return found


def _read_run(folder: Path, data: Path | str | None) -> ReadRun:
    config = load_config(folder / "config.yaml").data
    if not (folder / "best" / "model.json").is_file():
        raise WeightsError(f"run {folder.name} has no model yet", "go on with its training, or leave it out")
    if not is_finished(folder):
        logger.warning("run %s is not finished: its best model so far is tested", folder.name)
    where = config.dir if data is None else Path(data)
    split = _moved(config.split, folder.parent / ".splits")
    rois = read_rois(where, split=split, annotations=_moved(config.annotations, where), bbox=config.bbox, quiet=True)
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


def _identities(read: Sequence[ReadRun]) -> dict[Roi, tuple[str, str]]:
    """By what each ROI is known among those of all runs, whose data may be copies, or others with files of one name."""
    rois = [roi for run in read for roi in run.rois]
    pixels = {path: identity_of(path) for path in {roi.path for roi in rois} if path is not None}
    return {roi: (roi.file_name, "" if roi.path is None else pixels[roi.path]) for roi in rois}


def _test(run: ReadRun, device: str, on_image: Callable[[str, int | None], None] | None) -> dict[str, Tested]:
    """Detect in the run's test ROIs, unless that was done, and count by scanner."""
    rois = select_rois(run.rois, "test")
    require_images(rois)
    out = run.folder / "detections"
    detector = Detector.load(run.folder, device=device)
    jobs = [Job(roi.path, roi.mpp) for roi in rois if roi.path is not None]
    try:
        outcome = infer(jobs, detector, out, on_image=on_image)
    except DetectionsError as error:  # of an earlier model or threshold of this run
        logger.info("%s: detecting again", error.what)
        outcome = infer(jobs, detector, out, overwrite=True, on_image=on_image)
    if outcome.failed:  # images that were replaced since, or that cannot be read
        failed = [job for job in jobs if job.path.name in outcome.failed]
        outcome = infer(failed, detector, out, overwrite=True)
    if outcome.failed:
        raise DetectionsError(next(iter(outcome.failed.values())))
    scored = score_rois(out, rois)
    return {
        scanner: Tested(
            [each.counts for each in scored if each.roi.scanner == scanner],
            [patient_of(each.roi) for each in scored if each.roi.scanner == scanner],
        )
        for scanner in dict.fromkeys(roi.scanner for roi in rois)
    }


def _features(run: ReadRun, patches: Sequence[ScannerPatches], device: str) -> dict[str, Features]:
    detector = Detector.load(run.folder, device=device)
    return {each.scanner: backbone_features(detector, each.images) for each in patches}


def _pairs(
    patches: Sequence[ScannerPatches], stats: Mapping[str, ImageStats], features: Mapping[str, Features], seed: int
) -> list[Pair]:
    """All pairs of scanners, their features reduced to the directions in which all of them differ most."""
    reduced = dict(zip(features, reduce(list(features.values())), strict=True))
    found = []
    for a, b in itertools.combinations(patches, 2):
        both = reduced[a.scanner], reduced[b.scanner]
        distances = image_distances(stats[a.scanner], stats[b.scanner]) | feature_distances(
            features[a.scanner], features[b.scanner], a.patients, b.patients, reduced=both, seed=seed
        )
        found.append(Pair(a.scanner, b.scanner, distances))
    return found


def _loss_distances(
    loss: Loss,
    patches: Sequence[ScannerPatches],
    stats: Mapping[str, ImageStats],
    features: Mapping[str, Features],
    seed: int,
) -> dict[str, float]:
    """Distances of a scanner from those that a model trained on, mean over these, in that model's features."""
    chosen = [each for each in patches if each.scanner in (*loss.train_on, loss.scanner)]
    pairs = _pairs(chosen, stats, {each.scanner: features[each.scanner] for each in chosen}, seed)
    apart = [pair.distances for pair in pairs if loss.scanner in (pair.a, pair.b)]
    names = (*IMAGE_DISTANCES, *FEATURE_DISTANCES)
    return {name: float(np.mean([each[name] for each in apart])) if apart else math.nan for name in names}


def _correlations(
    lost: Sequence[Loss], distances: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, RankCorrelation]]:
    return {
        name: {
            drop: rank_correlation([each[name] for each in distances], [getattr(loss, drop) for loss in lost])
            for drop in ("from_own", "from_native")
        }
        for name in (*IMAGE_DISTANCES, *FEATURE_DISTANCES)
    }


def find_confounders(rois: Sequence[Roi]) -> list[Confounder]:
    """Columns of few values, such as the tumour, whose mix is not the same for all labelled scanners."""
    labelled = [roi for roi in rois if roi.split != "unlabelled"]
    found = []
    columns = dict.fromkeys(name for roi in labelled for name in roi.columns)
    for column in (name for name in columns if name.strip().lower() != "scanner"):
        table: dict[str, Counter[str]] = {}
        for roi in labelled:
            table.setdefault(roi.scanner, Counter())[roi.columns.get(column, "unknown")] += 1
        values = sorted({value for counts in table.values() for value in counts})
        if not 1 < len(values) <= len(labelled) // 4:
            continue  # the same everywhere, or different for nearly every ROI
        mixes = [np.array([counts[value] for value in values]) / counts.total() for counts in table.values()]
        if max((np.abs(a - b).sum() / 2 for a, b in itertools.combinations(mixes, 2)), default=0) > _MIXED:
            found.append(Confounder(column, {scanner: dict(counts) for scanner, counts in table.items()}))
    return found


def _spread(count: int, wanted: int) -> list[int]:
    """Places of up to that many items, evenly over `count`."""
    return [int(each) for each in np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int))]
