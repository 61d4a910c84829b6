"""A split joined with the ROIs of an annotation file, and what is wrong with the two together."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from midog.boxes import IMPOSTER
from midog.data.roi import Roi
from midog.data.roi_types import is_declared_free
from midog.data.split_file import ROLES, Split, SplitRow, compact_names, problems_within
from midog.data.text_file import Problems
from midog.errors import DataError
from midog.mpp import Mpp

_QUIET_RUN = 10
"""So many ROIs in a row without a box are a block that nobody annotated."""


def attach_split(rois: Sequence[Roi], split: Split) -> list[Roi]:
    """Give ROIs the places that a split assigns them.

    Args:
        rois: ROIs of an annotation file.
        split: their split; names are matched in full, else without folders.

    Returns:
        All ROIs, with scanner, patient, split, mpp and columns of their rows; split is "" where
        there is no row. Where a row states no scanner ("unknown") or no patient (the file's own
        name), it is that of the annotation. A row of an ROI that the annotation file does not name
        is appended where it is unlabelled, or declared free of figures, and so needs no box.
    """
    place = name_index([roi.file_name for roi in rois])
    rows = rows_by_roi(rois, split)
    joined = [_attach(roi, rows[roi.file_name]) if roi.file_name in rows else roi for roi in rois]
    alone = [row for row in split.rows if _needs_no_box(row) and not _is_named(row, place)]
    return joined + [_attach(Roi(row.file_name), row) for row in alone]


def name_index(names: Sequence[str]) -> dict[str, str]:
    """Names by themselves, and by themselves without folders where only one name ends so."""
    bare = Counter(PurePath(name).name for name in names)
    alone = {PurePath(name).name: name for name in names if bare[PurePath(name).name] == 1}
    return alone | {name: name for name in names}


def rows_by_roi(rois: Sequence[Roi], split: Split) -> dict[str | None, SplitRow]:
    """The rows by the name of their ROI in the annotation file."""
    place = name_index([roi.file_name for roi in rois])
    return {
        place.get(row.file_name) or place.get(PurePath(row.file_name).name): row
        for row in split.rows
    }


def contradictions(rois: Sequence[Roi], split: Split) -> list[str]:
    """What an annotation file and a split state differently of the same ROIs, one line each; the
    split's holds."""
    rows = rows_by_roi(rois, split)
    pairs = [(roi, rows[roi.file_name]) for roi in rois if roi.file_name in rows]
    apart = {
        "patients": [
            (roi.patient, row.patient, roi.file_name)
            for roi, row in pairs
            if roi.patient and _states_patient(row) and roi.patient != row.patient
        ],
        "scanners": [
            (roi.scanner, row.scanner, roi.file_name)
            for roi, row in pairs
            if roi.scanner and _states_scanner(row) and roi.scanner != row.scanner
        ],
        "um per pixel": [
            (f"{roi.mpp:g}", f"{row.mpp:g}", roi.file_name)
            for roi, row in pairs
            if roi.mpp and row.mpp and not Mpp.of(roi.mpp).agrees_with(Mpp.of(row.mpp))
        ],
    }
    return [
        f"{split.name} and the annotation file state other {what} of {len(listed)} ROIs"
        f" ({listed[0][1]} and {listed[0][0]} in the first); those of the split are used:"
        f" {compact_names(name for *_, name in listed)}"
        for what, listed in apart.items()
        if listed
    ]


def problems_with(split: Split, rois: Sequence[Roi]) -> Problems:
    """What is wrong with a split of these ROIs, beyond what is wrong within its file.

    ROIs in train, val and test without annotation, ROIs listed with and without a folder,
    unlabelled ROIs in train, val and test, and patients whom the annotation file alone names and
    the split cuts.
    """
    place = name_index([roi.file_name for roi in rois])
    joined = attach_split(rois, split)
    return [
        *_without_annotation(split, place),
        *_listed_twice(split, place),
        *_unlabelled_in_use(split, joined),
        *_cut_patients(split, joined),
    ]


def find_unlabelled(rois: Sequence[Roi]) -> set[str]:
    """Names of the ROIs that nobody annotated, as the boxes of all ROIs show.

    An ROI without a box of either class may be quiet tissue, so a single one proves nothing. Two
    things do:
    - its scanner has two ROIs or more and no box on any, while other ROIs have boxes;
    - it is one of ten or more such ROIs in a row in a file that lists imposters as well, where an
      annotated ROI hardly ever has nothing to list: a block that no annotator saw, whatever scanner
      the split states.
    Both find exactly 151 to 200 in the files of MIDOG 2021 and MIDOG++. A column `labelled` = yes
    or `figure_free` = yes overrules both; a roi_type does not.

    Args:
        rois: all ROIs of a file, in its order, with scanners where a split names them.
    """
    empty = [not roi.has_boxes for roi in rois]
    if all(empty):
        return set()
    by_scanner: dict[str, list[bool]] = defaultdict(list)
    for roi, is_empty in zip(rois, empty, strict=True):
        by_scanner[roi.scanner].append(is_empty)
    unlabelled = {
        roi.file_name
        for roi in rois
        if roi.scanner and len(by_scanner[roi.scanner]) > 1 and all(by_scanner[roi.scanner])
    }
    if any(IMPOSTER in roi.boxes.labels for roi in rois):
        unstated = (roi for roi in rois if not is_stated_labelled(roi))
        for is_empty, run in itertools.groupby(unstated, key=lambda roi: not roi.has_boxes):
            block = [roi.file_name for roi in run]
            unlabelled |= set(block) if is_empty and len(block) >= _QUIET_RUN else set()
    return unlabelled - {roi.file_name for roi in rois if is_stated_labelled(roi)}


def is_stated_labelled(roi: Roi) -> bool:
    """Whether it is stated that somebody looked for figures in an ROI, be there none."""
    return is_declared_free(roi) or roi.columns.get("labelled", "").lower() in ("yes", "true", "1")


def _attach(roi: Roi, row: SplitRow) -> Roi:
    return replace(
        roi,
        scanner=row.scanner if _states_scanner(row) or not roi.scanner else roi.scanner,
        patient=row.patient if _states_patient(row) or not roi.patient else roi.patient,
        split=row.split,
        mpp=roi.mpp if row.mpp is None else row.mpp,
        columns={**roi.columns, **row.columns},
    )


def _states_scanner(row: SplitRow) -> bool:
    return row.scanner.lower() not in ("", "unknown")


def _states_patient(row: SplitRow) -> bool:
    """Whether a patient is more than the name of the ROI's file, with or without folder and ending,
    as splits write it where no patient is named."""
    name = PurePath(row.file_name)
    return row.patient not in ("", row.file_name, name.name, name.stem)


def _needs_no_box(row: SplitRow) -> bool:
    return row.split == "unlabelled" or row.columns.get("figure_free") == "yes"


def _is_named(row: SplitRow, place: Mapping[str, str]) -> bool:
    return row.file_name in place or PurePath(row.file_name).name in place


def _without_annotation(split: Split, place: Mapping[str, str]) -> Problems:
    names = [
        row.file_name for row in split.rows if not _needs_no_box(row) and not _is_named(row, place)
    ]
    if not names:
        return []
    what = f"{split.name} lists ROIs that the annotation file lacks: {compact_names(names)}"
    fix = "remove them from the split, or give them the split 'unlabelled'; where they hold no"
    return [DataError(what, f"{fix} figure, state it in a column `figure_free` = yes")]


def _listed_twice(split: Split, place: Mapping[str, str]) -> Problems:
    listed = dict.fromkeys(row.file_name for row in split.rows)
    meant = Counter(place.get(name) or place.get(PurePath(name).name) for name in listed)
    names = [name for name, count in meant.items() if name is not None and count > 1]
    if not names:
        return []
    what = f"{split.name} lists ROIs twice, with and without a folder: {compact_names(names)}"
    return [DataError(what, "keep one row for each ROI")]


def _unlabelled_in_use(split: Split, joined: Sequence[Roi]) -> Problems:
    unlabelled = find_unlabelled(joined)
    problems: Problems = []
    for role in ROLES[:3]:
        names = [
            roi.file_name for roi in joined if roi.split == role and roi.file_name in unlabelled
        ]
        if names:
            what = f"{split.name} puts {len(names)} unlabelled ROIs into {role}"
            fix = "give them the split 'unlabelled', as they would count as background; where"
            fix += " they were annotated, state it in a column `labelled` = yes"
            problems.append(DataError(f"{what}: {compact_names(names)}", fix))
    return problems


def _cut_patients(split: Split, joined: Sequence[Roi]) -> Problems:
    """Patients in two roles that the split itself does not show to be one."""
    name = f"{split.name}, by the annotation file's patients"
    stated = {problem.what for problem in problems_within(Split(name, split.rows))}
    rows = (
        SplitRow(roi.file_name, roi.scanner, roi.patient_or_name, roi.split)
        for roi in joined
        if roi.split
    )
    cut = problems_within(Split(name, tuple(rows)))
    return [problem for problem in cut if problem.what not in stated]
