"""Splits of ROIs by patient: check one against the ROIs, make one, k folds, one scanner left
out."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.csv_text import Problems
from midog.data.roi import Roi
from midog.data.split_file import (
    ROLES,
    Split,
    SplitRow,
    compact_names,
    normalise_scanner,
    problems_within,
)
from midog.errors import ConfigError, DataError
from midog.random_streams import split_generator

Naming = Mapping[str, str] | str | None
"""Scanners or patients of ROIs: by file name; or the column that holds them; or None, as the ROIs
themselves say."""


def attach_split(rois: Sequence[Roi], split: Split) -> list[Roi]:
    """All ROIs, with scanner, patient, split, mpp and columns of their rows; split is "" where
    there is no row.

    A row of an unlabelled ROI that is not among them is appended, as nobody annotated it. Names are
    matched in full, else without folders.
    """
    place = name_index([roi.file_name for roi in rois])
    rows = {
        place.get(row.file_name) or place.get(PurePath(row.file_name).name): row
        for row in split.rows
    }
    known = [_attach(roi, rows[roi.file_name]) if roi.file_name in rows else roi for roi in rois]
    alone = [row for row in split.rows if row.split == "unlabelled" and not _is_known(row, place)]
    return known + [_attach(Roi(row.file_name), row) for row in alone]


def _attach(roi: Roi, row: SplitRow) -> Roi:
    mpp = roi.mpp if row.mpp is None else row.mpp
    columns = {**roi.columns, **row.columns}
    return replace(
        roi, scanner=row.scanner, patient=row.patient, split=row.split, mpp=mpp, columns=columns
    )


def name_index(names: Sequence[str]) -> dict[str, str]:
    """Each name by itself, and by itself without folders where no other name ends alike."""
    bare = Counter(PurePath(name).name for name in names)
    alone = {PurePath(name).name: name for name in names if bare[PurePath(name).name] == 1}
    return alone | {name: name for name in names}


def _is_known(row: SplitRow, place: Mapping[str, str]) -> bool:
    return row.file_name in place or PurePath(row.file_name).name in place


def check_split(split: Split, rois: Sequence[Roi]) -> list[str]:
    """Everything wrong with a split of these ROIs, a line each: files twice, patients cut, ROIs
    that have no annotation or that nobody labelled in train, val or test."""
    return [str(problem) for problem in problems_within(split) + problems_with(split, rois)]


def problems_with(split: Split, rois: Sequence[Roi]) -> Problems:
    """ROIs in train, val and test that have no annotation or that nobody labelled, and ROIs listed
    twice."""
    place = name_index([roi.file_name for roi in rois])
    problems: Problems = []
    lacking = [
        row.file_name
        for row in split.rows
        if row.split != "unlabelled" and not _is_known(row, place)
    ]
    if lacking:
        what = (
            f"{split.name} lists ROIs that the annotation file does not have:"
            f" {compact_names(lacking)}"
        )
        problems.append(
            DataError(what, "take them out of the split, or give them the split 'unlabelled'")
        )
    listed = dict.fromkeys(row.file_name for row in split.rows)
    meant = Counter(place.get(name) or place.get(PurePath(name).name) for name in listed)
    doubled = [name for name, count in meant.items() if name is not None and count > 1]
    if doubled:
        what = f"{split.name} lists ROIs twice, with and without a folder: {compact_names(doubled)}"
        problems.append(DataError(what, "keep one row for each ROI"))
    joined = attach_split(rois, split)
    unlabelled = find_unlabelled(joined)
    for role in ROLES[:3]:
        names = [
            roi.file_name for roi in joined if roi.split == role and roi.file_name in unlabelled
        ]
        if names:
            what = (
                f"{split.name} puts {len(names)} ROIs that nobody labelled into {role}:"
                f" {compact_names(names)}"
            )
            problems.append(
                DataError(
                    what,
                    "give them the split 'unlabelled', as they would teach or score background;"
                    " where somebody did label them, say so in a column `labelled` = yes",
                )
            )
    return problems


def find_unlabelled(rois: Sequence[Roi]) -> set[str]:
    """Names of the ROIs that nobody labelled, as far as the boxes of all ROIs, in file order, tell.

    An ROI without a box of either class may be quiet tissue, so a single one proves nothing. Two
    things do:
    - its scanner has two ROIs or more and no box on any, while other ROIs have boxes;
    - it stands in a row of ten or more such ROIs in a file that lists imposters as well, where a
      labelled ROI hardly ever has nothing to list: a block that was never shown to anyone, whatever
      scanner the split says it is from. Both find exactly 151 to 200 in the files of MIDOG 2021 and
      MIDOG++. A column `labelled` that says yes overrules.
    """
    empty = [len(roi.boxes) == 0 for roi in rois]
    if all(empty):
        return set()
    by_scanner: dict[str, list[bool]] = defaultdict(list)
    for roi, is_empty in zip(rois, empty, strict=True):
        by_scanner[roi.scanner].append(is_empty)
    found = {
        roi.file_name
        for roi in rois
        if roi.scanner and len(by_scanner[roi.scanner]) > 1 and all(by_scanner[roi.scanner])
    }
    if any(IMPOSTER in roi.boxes.labels for roi in rois):
        for is_empty, run in itertools.groupby(rois, key=lambda roi: len(roi.boxes) == 0):
            block = [roi.file_name for roi in run]
            found |= set(block) if is_empty and len(block) >= 10 else set()
    return found - {
        roi.file_name
        for roi in rois
        if roi.columns.get("labelled", "").lower() in ("yes", "true", "1")
    }


def make_split(
    rois: Sequence[Roi],
    *,
    val: float = 0.15,
    test: float = 0.2,
    seed: int = 0,
    scanners: Naming = None,
    patients: Naming = None,
) -> Split:
    """A split that cuts no patient, even in scanner (and tumour, where ROIs have that column) and
    in figures.

    val, test: shares of the labelled ROIs; the rest is train. The same ROIs and seed give the same
    split. An ROI without a patient is its own. ROIs that are or must be unlabelled stay so; those
    of a patient in val or test are left out. Raises ConfigError for impossible shares, DataError
    where a part would get no patient.
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
    """As many splits: each labelled ROI is in test in exactly one. val: share of what is not test.
    See `make_split`."""
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
    """By scanner, the split that tests on all its labelled ROIs and learns from the others.

    val: share of what is not test. ROIs from other scanners of a patient who is in test are left
    out. See `make_split`.
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
    """The split with that share of its train part moved to val, as `make_split` would deal it."""
    train = [roi for roi in attach_split(rois, split) if roi.split == "train"]
    parts = _deal(train, {"train": 1 - val, "val": val}, [seed])
    moved = {row.patient for row in split.rows if parts.get(row.patient) == "val"}
    rows = (
        replace(row, split="val") if row.split == "train" and row.patient in moved else row
        for row in split.rows
    )
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
            scanner=normalise_scanner(
                _look_up(roi, scanners, "scanner") or roi.scanner or "unknown"
            ),
            patient=_look_up(roi, patients, "patient") or roi.patient or roi.file_name,
        )
        for roi in rois
    ]
    unlabelled = find_unlabelled(named) | {
        roi.file_name for roi in named if roi.split == "unlabelled"
    }
    return [
        replace(roi, split="unlabelled" if roi.file_name in unlabelled else "") for roi in named
    ]


def _look_up(roi: Roi, naming: Naming, what: str) -> str:
    if naming is None:
        return ""
    found = (
        roi.columns.get(naming, "") if isinstance(naming, str) else naming.get(roi.file_name, "")
    )
    if not found:
        where = f"column {naming!r}" if isinstance(naming, str) else "the names given"
        raise DataError(f"{roi.file_name} has no {what} in {where}", "name one for each ROI")
    return found


def _labelled(named: Sequence[Roi]) -> list[Roi]:
    return [roi for roi in named if roi.split != "unlabelled"]


def _deal(rois: Sequence[Roi], shares: Mapping[str, float], seed: Sequence[int]) -> dict[str, str]:
    """The part that each patient goes to.

    Patients are ranked by scanner, tumour and count of figures, shuffled among neighbours of that
    rank, and dealt one after the other to the part that lacks most ROIs of its share so far. So
    every part gets its share of each scanner, and of the busy and the quiet patients of it.
    """
    if min(shares.values()) < 0 or shares.get("train", 1) <= 0:
        asked = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ConfigError(
            f"{asked}: nothing is left for train", "choose shares that sum to below 1"
        )
    theirs: dict[str, list[Roi]] = defaultdict(list)
    for roi in rois:
        theirs[roi.patient].append(roi)
    kinds = {
        p: sorted({(roi.scanner, roi.columns.get("tumour", "")) for roi in theirs[p]})
        for p in theirs
    }
    figures = {p: sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in theirs[p]) for p in theirs}
    ranked = sorted(theirs, key=lambda p: (kinds[p], figures[p], p))
    rng = split_generator(seed)
    wanted = [name for name, share in shares.items() if share > 0]
    neighbours = math.ceil(1 / min(shares[name] for name in wanted))
    lack = np.zeros(len(wanted))
    parts: dict[str, str] = {}
    for _, group in itertools.groupby(ranked, key=lambda p: kinds[p]):
        alike = list(group)
        for start in range(0, len(alike), neighbours):
            for patient in rng.permutation(
                np.array(alike[start : start + neighbours], dtype=object)
            ):
                lack += [shares[name] * len(theirs[patient]) for name in wanted]
                most = int(np.argmax(lack))
                lack[most] -= len(theirs[patient])
                parts[patient] = wanted[most]
    for name in sorted(set(wanted) - set(parts.values())):
        raise DataError(
            f"{len(theirs)} patients are too few: none is left for {name}", "change the shares"
        )
    return parts


def _split(name: str, named: Sequence[Roi], roles: Mapping[str, str]) -> Split:
    """Rows of the ROIs that have a role, and of the unlabelled ones that give no patient of val or
    test away."""
    scored = {roi.patient for roi in named if roles.get(roi.file_name) in ("val", "test")}
    roles = {
        **roles,
        **{roi.file_name: "unlabelled" for roi in named if roi.split and roi.patient not in scored},
    }
    kept = (roi for roi in named if roi.file_name in roles)
    return Split(
        name,
        tuple(
            SplitRow(r.file_name, r.scanner, r.patient, roles[r.file_name], r.mpp, r.columns)
            for r in kept
        ),
    )
