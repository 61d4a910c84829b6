"""Splits made by patient: train, val and test, k folds, or one scanner left out."""

from __future__ import annotations

import itertools
import logging
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from midog.boxes import MITOTIC_FIGURE
from midog.data.facts import normalise_scanner
from midog.data.join_split import attach_split, find_unlabelled, rows_by_roi
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow
from midog.errors import ConfigError, DataError
from midog.random_streams import split_generator

logger = logging.getLogger(__name__)

Naming = Mapping[str, str] | str | None
"""Scanners or patients of ROIs: by file name; or the column that holds them; None takes what the
ROIs themselves state."""


def make_split(
    rois: Sequence[Roi],
    *,
    val: float = 0.15,
    test: float = 0.2,
    seed: int = 0,
    scanners: Naming = None,
    patients: Naming = None,
) -> Split:
    """A split that cuts no patient.

    It is even in scanner (and tumour and roi_type, where ROIs state them) and in figures. The same
    ROIs and seed give the same split. ROIs that are or must be unlabelled stay so; those of a
    patient in val or test are left out.

    Args:
        rois: ROIs to split; one without a patient is a patient of its own.
        val, test: shares of the labelled ROIs, 0 to 1; the rest is train.
        seed: of the shuffling.
        scanners, patients: where they are named, see `Naming`.

    Raises:
        ConfigError: for impossible shares.
        DataError: where a part would get no patient.
    """
    named = _named(rois, scanners, patients)
    parts = _deal(_labelled(named), {"train": 1 - val - test, "val": val, "test": test}, [seed])
    return _split(
        f"split of seed {seed}",
        named,
        {roi.file_name: parts[roi.patient] for roi in _labelled(named)},
    )


def k_fold(
    rois: Sequence[Roi],
    *,
    folds: int = 5,
    val: float = 0.15,
    seed: int = 0,
    scanners: Naming = None,
    patients: Naming = None,
) -> list[Split]:
    """Splits of which each labelled ROI is in test in exactly one.

    Args:
        rois, seed, scanners, patients: as `make_split`.
        folds: number of splits, at least 2.
        val: share of what is not test, 0 to 1.

    Raises:
        ConfigError, DataError: as `make_split`.
    """
    if folds < 2:
        raise ConfigError(f"{folds} folds", "choose two or more")
    named = _named(rois, scanners, patients)
    fold_of = _deal(_labelled(named), {str(fold): 1 / folds for fold in range(folds)}, [seed])
    return [
        _hold_out(
            f"fold {fold} of {folds}, seed {seed}",
            named,
            {roi.file_name for roi in _labelled(named) if fold_of[roi.patient] == str(fold)},
            val,
            [seed, fold],
        )
        for fold in range(folds)
    ]


def leave_one_scanner_out(
    rois: Sequence[Roi],
    *,
    val: float = 0.15,
    seed: int = 0,
    scanners: Naming = None,
    patients: Naming = None,
) -> dict[str, Split]:
    """By scanner, the split that trains on the other scanners and tests on its labelled ROIs.

    ROIs from other scanners of a patient who is in test are left out.

    Args:
        rois, seed, scanners, patients: as `make_split`.
        val: share of what is not test, 0 to 1.

    Raises:
        ConfigError, DataError: as `make_split`.
    """
    named = _named(rois, scanners, patients)
    return {
        scanner: _hold_out(
            f"without {scanner}, seed {seed}",
            named,
            {roi.file_name for roi in _labelled(named) if roi.scanner == scanner},
            val,
            [seed],
        )
        for scanner in sorted({roi.scanner for roi in _labelled(named)})
    }


def cut_validation(split: Split, rois: Sequence[Roi], *, val: float = 0.15, seed: int = 0) -> Split:
    """The split with part of train moved to val, as `make_split` would choose it.

    Args:
        split: a split with a row for every training ROI.
        rois: its ROIs.
        val: share of train, 0 to 1.
        seed: of the shuffling.
    """
    train = [roi for roi in attach_split(rois, split) if roi.split == "train"]
    parts = _deal(train, {"train": 1 - val, "val": val}, [seed])
    by_roi = rows_by_roi(rois, split)
    moved = {by_roi[roi.file_name].file_name for roi in train if parts[roi.patient] == "val"}
    rows = (replace(row, split="val") if row.file_name in moved else row for row in split.rows)
    return Split(split.name, tuple(rows))


def _hold_out(
    name: str, named: Sequence[Roi], test: set[str], val: float, seed: Sequence[int]
) -> Split:
    """Those files are test, the ROIs of other patients train and val."""
    held = {roi.patient for roi in named if roi.file_name in test}
    rest = [roi for roi in _labelled(named) if roi.patient not in held]
    parts = _deal(rest, {"train": 1 - val, "val": val}, seed)
    roles = {roi.file_name: parts[roi.patient] for roi in rest} | dict.fromkeys(test, "test")
    return _split(name, named, roles)


def _named(rois: Sequence[Roi], scanners: Naming, patients: Naming) -> list[Roi]:
    """The ROIs with scanner and patient filled in, and split "unlabelled" or ""."""
    named = [
        replace(
            roi,
            scanner=normalise_scanner(_name_in(scanners, roi, "scanner", roi.scanner or "unknown")),
            patient=_name_in(patients, roi, "patient", roi.patient_or_name),
        )
        for roi in rois
    ]
    unlabelled = find_unlabelled(named) | {
        roi.file_name for roi in named if roi.split == "unlabelled"
    }
    return [
        replace(roi, split="unlabelled" if roi.file_name in unlabelled else "") for roi in named
    ]


def _name_in(naming: Naming, roi: Roi, what: str, own: str) -> str:
    """The scanner or patient of an ROI as `naming` states it; `own` where it is None."""
    if naming is None:
        return own
    if isinstance(naming, str):
        name, where = roi.columns.get(naming, ""), f"column {naming!r}"
    else:
        name, where = naming.get(roi.file_name, ""), "the names given"
    if not name:
        raise DataError(f"{roi.file_name} has no {what} in {where}", "name one for each ROI")
    return name


def _labelled(named: Sequence[Roi]) -> list[Roi]:
    return [roi for roi in named if roi.split != "unlabelled"]


def _deal(rois: Sequence[Roi], shares: Mapping[str, float], seed: Sequence[int]) -> dict[str, str]:
    """The part that each patient goes to.

    Patients are ranked by scanner, tumour, roi_type and count of figures, shuffled among those next
    to each other in that rank, and dealt one after the other to the part that lacks most ROIs of
    its share so far. So every part gets its share of each scanner, and of its busy and quiet
    patients.

    Args:
        rois: labelled ROIs, with scanner and patient.
        shares: by part, the share of the ROIs that it is to get.
        seed: key of the random numbers.
    """
    if min(shares.values()) < 0 or shares.get("train", 1) <= 0:
        text = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ConfigError(f"{text}: nothing is left for train", "choose shares that sum to below 1")
    groups = _ranked_patients(rois)
    sizes = Counter(roi.patient for roi in rois)
    rng = split_generator(seed)
    names = [name for name, share in shares.items() if share > 0]
    together = math.ceil(1 / min(shares[name] for name in names))
    lack = np.zeros(len(names))
    parts: dict[str, str] = {}
    for alike in groups:
        for start in range(0, len(alike), together):
            some = np.array(alike[start : start + together], dtype=object)
            for patient in rng.permutation(some):
                lack += [shares[name] * sizes[patient] for name in names]
                most = int(np.argmax(lack))
                lack[most] -= sizes[patient]
                parts[patient] = names[most]
    for name in sorted(set(names) - set(parts.values())):
        parts = _with_one_in(name, parts, sizes)
    return parts


def _with_one_in(name: str, parts: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, str]:
    """The same parts, with one patient moved to a part that got none as its share is small.

    It is the one with the fewest ROIs of the part that has most patients.
    """
    counts = Counter(parts.values())
    most = max(sorted(counts), key=counts.__getitem__, default="")
    if counts[most] < 2:
        raise DataError(
            f"{len(sizes)} patients are too few: none is left for {name}", "change the shares"
        )
    movable = [patient for patient in parts if parts[patient] == most]
    moved = min(movable, key=lambda patient: (sizes[patient], patient))
    logger.warning(
        "%d patients are few for these shares: %s gets one of %s, patient %s with %d ROIs",
        len(sizes),
        name,
        most,
        moved,
        sizes[moved],
    )
    return {**parts, moved: name}


def _ranked_patients(rois: Sequence[Roi]) -> list[list[str]]:
    """Patients in groups of equal scanners, tumours and roi_types, ranked by their figures."""
    theirs: dict[str, list[Roi]] = defaultdict(list)
    for roi in rois:
        theirs[roi.patient].append(roi)
    kinds = {patient: sorted({_kind_of(roi) for roi in own}) for patient, own in theirs.items()}
    figures = {
        patient: sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in own)
        for patient, own in theirs.items()
    }
    ranked = sorted(theirs, key=lambda patient: (kinds[patient], figures[patient], patient))
    return [list(group) for _, group in itertools.groupby(ranked, key=kinds.__getitem__)]


def _kind_of(roi: Roi) -> tuple[str, str, str]:
    return roi.scanner, roi.columns.get("tumour", ""), roi.columns.get("roi_type", "")


def _split(name: str, named: Sequence[Roi], roles: Mapping[str, str]) -> Split:
    """Rows of the ROIs that have a role, and of unlabelled ones of no patient in val or test."""
    scored = {roi.patient for roi in named if roles.get(roi.file_name) in ("val", "test")}
    roles = {
        **roles,
        **{roi.file_name: "unlabelled" for roi in named if roi.split and roi.patient not in scored},
    }
    return Split(
        name,
        tuple(
            SplitRow(
                roi.file_name, roi.scanner, roi.patient, roles[roi.file_name], roi.mpp, roi.columns
            )
            for roi in named
            if roi.file_name in roles
        ),
    )
