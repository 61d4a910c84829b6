"""A data folder: its images/, one annotation file and split.csv, joined into a list of Roi."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from midog.boxes import centers_of
from midog.data.annotations.read import BoxChoice, read_annotations
from midog.data.csv_text import raise_problems, read_table, read_text
from midog.data.roi import Roi
from midog.data.split_file import (
    ROLES,
    Split,
    SplitRow,
    compact_names,
    normalise_scanner,
    read_split,
    write_split,
)
from midog.data.splits import attach_split, k_fold, leave_one_scanner_out, make_split, problems_with
from midog.errors import ConfigError, DataError

logger = logging.getLogger(__name__)


def read_rois(
    path: Path | str,
    *,
    split: Path | str | None = None,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    quiet: bool = False,
) -> list[Roi]:
    """The ROIs of a data folder, or of an annotation file alone: boxes, image paths, and places in
    the split.

    path: a folder with images/ (or the images themselves), one annotation file and maybe split.csv;
    or that file.
    split: a CSV or the name of a shipped split; None takes split.csv of the folder, where there is
    one.
    annotations: the annotation file, where a folder has several or it is elsewhere.
    bbox: how the file writes boxes, see `read_annotations`.
    ROIs come in the file's order, then unlabelled ones that only the split knows; `path` is None
    where an image is not there; with a split, ROIs that it does not list are left out, with a
    warning.
    quiet: log neither what was read nor what was left out, for a split that is known to leave ROIs
    out. Raises DataError for what cannot be used, among it ROIs in train, val or test that nobody
    labelled.
    """
    folder, file = locate(path, annotations)
    read = read_annotations(file, bbox=bbox)
    logger.log(logging.DEBUG if quiet else logging.INFO, "%s", read.describe())
    chosen = split if split is not None else default_split(path)
    rois = read.rois if chosen is None else _in_split(read.rois, read_split(chosen), quiet)
    _check_places(rois, file)
    return with_images(rois, folder)


def locate(path: Path | str, annotations: Path | str | None = None) -> tuple[Path, Path]:
    """The folder and its annotation file: the one given, else the only JSON, or CSV of points or
    boxes, in it."""
    path = Path(path)
    if annotations is not None and not Path(annotations).is_file():
        raise DataError(
            f"there is no annotation file {annotations}", "give a MIDOG JSON, COCO JSON or CSV"
        )
    if path.is_file():
        return path.parent, Path(annotations or path)
    remedy = (
        f"download with `midog data download midog21 {path}` or draw with `midog data draw {path}`"
    )
    if not path.is_dir():
        raise DataError(f"there is no data folder {path}", remedy)
    if annotations is not None:
        return path, Path(annotations)
    found = sorted(file for file in path.iterdir() if _may_be_annotations(file))
    if not found:
        others = sorted(file.name for file in path.glob("*.csv") if file.name != "split.csv")
        if others:
            what = (
                f"no annotation file in {path}/: {', '.join(others)} has no header"
                " file_name,x,y,label"
            )
            raise DataError(
                what, "write that header, with commas (for boxes file_name,x1,y1,x2,y2,label)"
            )
        raise DataError(f"no annotation file in {path}/", remedy)
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(
            f"{path}/ has {len(found)} annotation files: {names}",
            "say which with --annotations FILE",
        )
    return path, found[0]


def default_split(path: Path | str) -> Path | None:
    """split.csv of a data folder, where there is one."""
    file = Path(path) / "split.csv"
    return file if file.is_file() else None


def with_images(rois: Sequence[Roi], folder: Path) -> list[Roi]:
    """The ROIs with the paths of those images that are in folder/images/ or in the folder, under
    full or bare name."""
    return [replace(roi, path=_find_image(roi.file_name, folder)) for roi in rois]


def require_images(rois: Sequence[Roi]) -> None:
    """Raise DataError that names the ROIs without an image file; an unlabelled one is only worth a
    warning."""
    missing = [roi.file_name for roi in rois if roi.path is None and roi.split != "unlabelled"]
    if missing:
        fix = "put them into images/ of the data folder, or leave them out of the split"
        raise DataError(
            f"{len(missing)} of {len(rois)} images are missing: {compact_names(missing)}", fix
        )
    absent = [roi.file_name for roi in rois if roi.path is None]
    if absent:
        logger.warning(
            "%d images of unlabelled ROIs are missing: %s", len(absent), compact_names(absent)
        )


def select_rois(rois: Sequence[Roi], subset: str) -> list[Roi]:
    """Those of one role of the split, or, with "all", those of train, val and test (all ROIs where
    there is no split).

    Raises DataError where there are none.
    """
    if subset not in (*ROLES, "all"):
        raise DataError(f"{subset!r} is no part of a split", f"write {', '.join(ROLES)} or all")
    chosen = [
        roi
        for roi in rois
        if roi.split == subset or (subset == "all" and roi.split != "unlabelled")
    ]
    if not chosen:
        known = sorted({roi.split for roi in rois} - {""})
        what = f"no ROI is in {subset}" + (
            f", only in {', '.join(known)}" if known else ": the data have no split"
        )
        raise DataError(what, "give a split with --split, or make one with `midog splits make`")
    return chosen


def data_fingerprint(rois: Sequence[Roi]) -> str:
    """16 hex digits that change with any ROI's name, size, mpp, boxes or place in the split; not
    with the order of the ROIs, where the images are, or their pixels."""
    digests = []
    for roi in rois:
        facts = (roi.file_name, roi.width, roi.height, roi.mpp, roi.scanner, roi.patient, roi.split)
        boxes = roi.boxes.xyxy.astype("<f4").tobytes() + roi.boxes.labels.astype("<i8").tobytes()
        digests.append(hashlib.sha256(repr(facts).encode() + boxes).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]


def make_splits(
    path: Path | str,
    out: Path | str,
    *,
    scanners: Path | str | None = None,
    val: float = 0.15,
    test: float = 0.2,
    folds: int | None = None,
    leave_out: str | None = None,
    seed: int = 0,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    overwrite: bool = False,
) -> list[Path]:
    """Make a split of a data folder, `folds` of them, or one per scanner left out; write them;
    return the files.

    out: the CSV, or where several are made the folder for fold1.csv … or without_SCANNER.csv ….
    scanners: a CSV with file_name, scanner, and maybe patient, split (of which only 'unlabelled'
    counts) and further columns; None takes split.csv of the folder, else ROIs are of one unknown
    scanner and each its own patient.
    leave_out: a scanner, or 'each'.
    Raises DataError for files that are there unless `overwrite`, and as `make_split` does.
    """
    _, file = locate(path, annotations)
    rois = read_annotations(file, bbox=bbox).rois
    if scanners is not None:
        rois = _listed(rois, _read_scanners(Path(scanners)))
    elif (usual := default_split(path)) is not None:
        rois = _listed(rois, read_split(usual))
    out = Path(out)
    if folds is not None and leave_out is not None:
        raise ConfigError("--folds and --leave-out make different splits", "choose one of them")
    if folds is not None:
        made = k_fold(rois, folds=folds, val=val, seed=seed)
        splits = {out / f"fold{number}.csv": each for number, each in enumerate(made, 1)}
    elif leave_out is not None:
        splits = _leave_out(leave_one_scanner_out(rois, val=val, seed=seed), leave_out, out)
    else:
        splits = {out: make_split(rois, val=val, test=test, seed=seed)}
    there = [file.name for file in splits if file.exists()]
    if there and not overwrite:
        raise DataError(
            f"{', '.join(there)} is there already", "choose another --out, or --overwrite it"
        )
    for file, each in splits.items():
        write_split(each, file)
    return list(splits)


def _leave_out(splits: dict[str, Split], scanner: str, out: Path) -> dict[Path, Split]:
    if scanner == "each":
        return {
            out / f"without_{name.replace(' ', '_')}.csv": each for name, each in splits.items()
        }
    if normalise_scanner(scanner) not in splits:
        raise DataError(
            f"no labelled ROI is of scanner {scanner!r}",
            f"choose one of {', '.join(splits)}, or each",
        )
    return {out: splits[normalise_scanner(scanner)]}


def _check_places(rois: Sequence[Roi], file: Path) -> None:
    """Two of MIDOG++'s 26,286 centres lie outside their image; where one in a hundred does, boxes
    were misread."""
    sized = [roi for roi in rois if roi.width is not None and roi.height is not None]
    total, outside = (
        sum(len(roi.boxes) for roi in sized),
        sum(centres_outside(roi) for roi in sized),
    )
    if total and outside > max(total / 100, 1):
        what = f"{file}: {outside} of {total} boxes have their centre outside their image"
        raise DataError(
            what, "say how the boxes are written with --bbox xyxy or xywh, or mend the file"
        )


def centres_outside(roi: Roi, width: int | None = None, height: int | None = None) -> int:
    """Boxes whose centre is not in the image of the annotated size, else of that size; 0 where
    neither is known."""
    size = np.array([roi.width or width or np.inf, roi.height or height or np.inf])
    centres = centers_of(roi.boxes.xyxy)
    return int(((centres < 0) | (centres >= size)).any(axis=1).sum())


def _in_split(rois: Sequence[Roi], split: Split, quiet: bool) -> list[Roi]:
    raise_problems(problems_with(split, rois))
    return _listed(rois, split, quiet)


def _listed(rois: Sequence[Roi], split: Split, quiet: bool = False) -> list[Roi]:
    """The ROIs that have a row, with what it says; a warning counts the others."""
    joined = attach_split(rois, split)
    outside = [roi.file_name for roi in joined if not roi.split]
    if outside and not quiet:
        logger.warning(
            "%d ROIs are not in %s and are left out: %s",
            len(outside),
            split.name,
            compact_names(outside),
        )
    return [roi for roi in joined if roi.split]


def _read_scanners(path: Path) -> Split:
    header, lines = read_table(path, read_text(path))
    if not {"file_name", "scanner"} <= set(header):
        what = (
            f"{path} has no columns file_name and scanner; its columns are {', '.join(header):.200}"
        )
        raise DataError(what, "write file_name,scanner,patient as header")
    rows = (
        SplitRow(
            cells["file_name"],
            normalise_scanner(cells["scanner"]),
            cells.get("patient", ""),
            "unlabelled" if cells.get("split") == "unlabelled" else "train",
            columns={
                key: cells[key]
                for key in cells
                if key not in ("file_name", "scanner", "patient", "split")
            },
        )
        for _, cells in lines
    )
    return Split(str(path), tuple(rows))


def _may_be_annotations(file: Path) -> bool:
    """JSON files, and CSV files with coordinates; not split.csv or other tables."""
    if file.name.startswith(".") or not file.is_file():
        return False
    if file.suffix.lower() != ".csv":
        return file.suffix.lower() == ".json"
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        header = {name.strip().lower() for name in lines.readline().split(",")}
    return "file_name" in header and bool({"x", "x1"} & header)


def _find_image(name: str, folder: Path) -> Path | None:
    places = (
        place / each
        for each in (name, PurePath(name).name)
        for place in (folder / "images", folder)
    )
    return next((place for place in places if place.is_file()), None)
