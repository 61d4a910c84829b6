"""Several data folders used as one: their splits, and what is wrong with them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from midog.data.annotations.figures import Annotations
from midog.data.annotations.read import scan_annotations
from midog.data.annotations.reader import AUTO, BoxChoice
from midog.data.find_files import default_split, locate
from midog.data.find_images import with_images
from midog.data.join_split import name_index
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, compact_names, problems_within, scan_split
from midog.data.text_file import Problems
from midog.errors import DataError
from midog.names import real_path

Folders = Path | str | Sequence[Path | str]
"""A data folder or an annotation file; or several, which are used as one."""


@dataclass(frozen=True)
class Located:
    """The place of a data folder. path: as it was given. folder: where its images are. file: its
    annotation file, or the folder of its annotation files."""

    path: Path
    folder: Path
    file: Path


@dataclass(frozen=True)
class ScannedSplit:
    """The split of one of several folders, None where it has none, and what is wrong with it."""

    split: Split | None = None
    problems: Problems = field(default_factory=list)


def listed_folders(path: Folders) -> list[Path]:
    """The folders as a list, also where there is one."""
    return [Path(path)] if isinstance(path, Path | str) else [Path(one) for one in path]


def locate_all(
    path: Folders, annotations: Path | str | None = None, annotations_format: str = AUTO
) -> list[Located]:
    """Find the annotation files of data folders.

    Args:
        path: one folder, or several.
        annotations: the file to take, of one folder; None takes the only one in each.
        annotations_format: as `read_annotations`.

    Raises:
        DataError: for no folder, one that comes twice, or an annotation file for several; and as
            `locate`.
    """
    paths = listed_folders(path)
    if not paths:
        raise DataError("no data folder is given", "name one with {data}", {"data": None})
    if len(paths) > 1 and annotations is not None:
        raise DataError(
            f"{annotations} is the annotation file of one folder, and {len(paths)} are given",
            "leave {data.annotations} out; each folder may hold one annotation file",
            {"data.annotations": None},
        )
    if twice := [one for one in paths if [real_path(p) for p in paths].count(real_path(one)) > 1]:
        raise DataError(f"the data folder {twice[0]} is given twice", "name each folder once")
    return [Located(one, *locate(one, annotations, annotations_format)) for one in paths]


def scan_files(
    folders: Sequence[Located], bbox: BoxChoice, classes: str, annotations_format: str
) -> list[tuple[Annotations, Problems]]:
    """What the annotation files of folders hold, and what is wrong with each; as
    `scan_annotations`."""
    return [
        scan_annotations(
            one.file,
            bbox=bbox,
            classes=classes,
            annotations_format=annotations_format,
            images=one.folder,
        )
        for one in folders
    ]


def scan_splits(
    folders: Sequence[Located], rois: Sequence[Sequence[Roi]], split: Path | str | None
) -> list[ScannedSplit]:
    """The split of each folder.

    Args:
        folders: the folders.
        rois: of the annotation file of each.
        split: one split of all of them, whose rows go to the folders whose ROIs they name; None
            takes split.csv of each.

    Raises:
        DataError: where a split as a whole cannot be read, or some folders alone have one.
    """
    if split is None:
        return _own_splits(folders)
    scanned, problems = scan_split(split)
    if len(folders) == 1:
        return [ScannedSplit(scanned, problems)]
    dealt = _deal(scanned, folders, rois)
    return [
        ScannedSplit(part, problems if number == 0 else []) for number, part in enumerate(dealt)
    ]


def problems_across(folders: Sequence[Located], rois: Sequence[Sequence[Roi]]) -> Problems:
    """What is wrong with folders that are used as one, and not with any of them alone.

    ROIs of one name in two folders, and patients who are in train in one and scored in another.

    Args:
        folders: the folders.
        rois: of each, with their places in its split.
    """
    if len(folders) == 1:
        return []
    return [*_doubled_names(folders, rois), *_patients_across(folders, rois)]


def _own_splits(folders: Sequence[Located]) -> list[ScannedSplit]:
    files = [default_split(one.path) for one in folders]
    without = [one.path for one, file in zip(folders, files, strict=True) if file is None]
    if without and len(without) < len(files):
        having = next(file for file in files if file is not None)
        raise DataError(
            f"{having} exists, and {without[0]}/ has no split.csv",
            "make one with `midog splits make`, or name one split of all with {data.split}",
            {"data.split": None},
        )
    return [ScannedSplit() if file is None else ScannedSplit(*scan_split(file)) for file in files]


def _deal(split: Split, folders: Sequence[Located], rois: Sequence[Sequence[Roi]]) -> list[Split]:
    """The part of one split that is each folder's; a row that names no ROI of any goes where its
    image is, else to the first."""
    names = [{roi.file_name for roi in theirs} for theirs in rois]
    indices = [name_index([roi.file_name for roi in theirs]) for theirs in rois]

    def owner(row: SplitRow) -> int:
        bare = PurePath(row.file_name).name
        whole = [number for number, theirs in enumerate(names) if row.file_name in theirs]
        owners = whole or [number for number, index in enumerate(indices) if bare in index]
        if len(owners) > 1 and not whole:
            where = " and ".join(f"{folders[number].path}/" for number in owners)
            what = f"{split.name} lists {row.file_name}, and {where} have an ROI of that name"
            raise DataError(what, "write its name in full, or rename one")
        if owners:
            return owners[0]
        having = (
            number
            for number, one in enumerate(folders)
            if with_images([Roi(row.file_name)], one.folder)[0].path is not None
        )
        return next(having, 0)

    rows: list[list[SplitRow]] = [[] for _ in folders]
    for row in split.rows:
        rows[owner(row)].append(row)
    # what was assumed to read it is said once
    return [
        replace(split, rows=tuple(theirs), notes=split.notes if number == 0 else ())
        for number, theirs in enumerate(rows)
    ]


def _doubled_names(folders: Sequence[Located], rois: Sequence[Sequence[Roi]]) -> Problems:
    owners: dict[str, list[str]] = defaultdict(list)
    for one, theirs in zip(folders, rois, strict=True):
        for roi in theirs:
            owners[roi.file_name].append(f"{one.path}/")
    doubled = {name: where for name, where in owners.items() if len(where) > 1}
    if not doubled:
        return []
    where = " and ".join(next(iter(doubled.values())))
    return [
        DataError(
            f"{where} both have ROIs named {compact_names(doubled)}",
            "rename the images of one, in its images/, annotations and split.csv: names tell ROIs"
            " apart",
        )
    ]


def _patients_across(folders: Sequence[Located], rois: Sequence[Sequence[Roi]]) -> Problems:
    """Patients whom no folder's own split cuts, and all of them together do."""

    def cut(name: str, some: Sequence[Roi]) -> Problems:
        rows = (
            SplitRow(roi.file_name, roi.scanner, roi.patient_or_name, roi.split)
            for roi in some
            if roi.split
        )
        return problems_within(Split(name, tuple(rows)))

    name = f"the splits of {' and '.join(f'{one.path}/' for one in folders)}"
    alone = {problem.what for theirs in rois for problem in cut(name, theirs)}
    names = [roi.file_name for theirs in rois for roi in theirs]
    unique = [roi for theirs in rois for roi in theirs if names.count(roi.file_name) == 1]
    return [problem for problem in cut(name, unique) if problem.what not in alone]
