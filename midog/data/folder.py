"""A data folder: its images/, one annotation file and split.csv, joined into a list of Roi."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from midog.boxes import centers_of
from midog.data.annotations.figures import BOX_FIX, BOX_SETTING
from midog.data.annotations.read import has_known_suffix, may_hold_annotations, read_annotations
from midog.data.annotations.reader import BoxChoice
from midog.data.annotations.registry import formats_in_words
from midog.data.csv_text import raise_problems
from midog.data.join_split import attach_split, problems_with
from midog.data.roi import Roi
from midog.data.split_file import ROLES, Split, compact_names, read_split
from midog.errors import DataError

logger = logging.getLogger(__name__)


def read_rois(
    path: Path | str,
    *,
    split: Path | str | None = None,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    quiet: bool = False,
) -> list[Roi]:
    """Read the ROIs of a data folder, or of an annotation file alone.

    Args:
        path: a folder with images/ (or the images themselves), one annotation file and maybe
            split.csv; or that file.
        split: a CSV or the name of a shipped split; None takes split.csv of the folder, where it
            exists.
        annotations: the annotation file, where a folder has several or it is elsewhere.
        bbox: how the file writes boxes, see `read_annotations`.
        quiet: log neither what was read nor what was left out, for a split that is meant to leave
            ROIs out.

    Returns:
        ROIs with boxes, image paths and places in the split, in the file's order, then unlabelled
        ones that only the split names. `path` is None where an image is missing. With a split, ROIs
        that it does not list are left out, with a warning.

    Raises:
        DataError: for what cannot be used, among it unlabelled ROIs in train, val or test.
    """
    folder, file = locate(path, annotations)
    content = read_annotations(file, bbox=bbox)
    logger.log(logging.DEBUG if quiet else logging.INFO, "%s", content.describe())
    chosen = split if split is not None else default_split(path)
    rois = content.rois
    if chosen is not None:
        places = read_split(chosen)
        raise_problems(problems_with(places, rois))
        rois = listed(rois, places, quiet)
    _check_places(rois, file)
    return with_images(rois, folder)


def locate(path: Path | str, annotations: Path | str | None = None) -> tuple[Path, Path]:
    """Find the annotation file of a data folder.

    Args:
        path: the folder, or the annotation file itself.
        annotations: the file to take; None takes the only one in the folder.

    Returns:
        The folder and the annotation file.

    Raises:
        DataError: where there is none, or several to choose from.
    """
    path = Path(path)
    if annotations is not None and not Path(annotations).is_file():
        raise DataError(
            f"there is no annotation file {annotations}", f"give a {formats_in_words()}"
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
    files = sorted(file for file in path.iterdir() if has_known_suffix(file))
    candidates = [file for file in files if may_hold_annotations(file)]
    if len(candidates) > 1:
        names = ", ".join(file.name for file in candidates)
        raise DataError(
            f"{path}/ has {len(candidates)} annotation files: {names}",
            "choose one with {data.annotations}",
            {"data.annotations": None},
        )
    if candidates:
        return path, candidates[0]
    others = [file.name for file in files if file.name != "split.csv" and file.name[0] != "."]
    if others:
        raise DataError(
            f"no annotation file in {path}/: {', '.join(others)} is none",
            f"give a {formats_in_words()}",
        )
    raise DataError(f"no annotation file in {path}/", remedy)


def default_split(path: Path | str) -> Path | None:
    """The split.csv of a data folder, None where there is none."""
    file = Path(path) / "split.csv"
    return file if file.is_file() else None


def listed(rois: Sequence[Roi], split: Split, quiet: bool = False) -> list[Roi]:
    """The ROIs that a split lists, with what its rows state; a warning counts the others.

    Args:
        rois: ROIs of an annotation file.
        split: their split.
        quiet: do not warn.
    """
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


def with_images(rois: Sequence[Roi], folder: Path) -> list[Roi]:
    """The ROIs with the paths of their images.

    Args:
        rois: ROIs without paths.
        folder: images are looked for in its images/, then in itself, by full, then by bare name.
    """
    return [replace(roi, path=_find_image(roi.file_name, folder)) for roi in rois]


def require_images(rois: Sequence[Roi]) -> None:
    """Check that images exist; that of an unlabelled ROI is only worth a warning.

    Raises:
        DataError: names the ROIs whose image is missing.
    """
    missing = [roi.file_name for roi in rois if roi.path is None and roi.split != "unlabelled"]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(rois)} images are missing: {compact_names(missing)}",
            "put them into images/ of the data folder, or leave them out of the split",
        )
    unlabelled = [roi.file_name for roi in rois if roi.path is None]
    if unlabelled:
        names = compact_names(unlabelled)
        logger.warning("%d images of unlabelled ROIs are missing: %s", len(unlabelled), names)


def select_rois(rois: Sequence[Roi], subset: str) -> list[Roi]:
    """The ROIs of one role of the split.

    Args:
        rois: ROIs of a data folder.
        subset: a role, or "all": train, val and test (all ROIs where there is no split).

    Raises:
        DataError: where there are none.
    """
    if subset not in (*ROLES, "all"):
        raise DataError(f"{subset!r} is no part of a split", f"write {', '.join(ROLES)} or all")
    chosen = [
        roi
        for roi in rois
        if roi.split == subset or (subset == "all" and roi.split != "unlabelled")
    ]
    if not chosen:
        roles = sorted({roi.split for roi in rois} - {""})
        what = f"no ROI is in {subset}"
        what += f", only in {', '.join(roles)}" if roles else ": the data have no split"
        raise DataError(
            what,
            "give a split with {data.split}, or make one with `midog splits make`",
            {"data.split": None},
        )
    return chosen


def data_fingerprint(rois: Sequence[Roi]) -> str:
    """16 hex digits that change with any ROI's name, size, mpp, boxes or place in the split.

    They do not change with the order of the ROIs, where the images are, or their pixels.
    """
    digests = []
    for roi in rois:
        facts = (roi.file_name, roi.width, roi.height, roi.mpp, roi.scanner, roi.patient, roi.split)
        boxes = roi.boxes.xyxy.astype("<f4").tobytes() + roi.boxes.labels.astype("<i8").tobytes()
        digests.append(hashlib.sha256(repr(facts).encode() + boxes).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]


def centres_outside(roi: Roi, width: int | None = None, height: int | None = None) -> int:
    """How many boxes have their centre outside the image.

    Args:
        roi: an ROI; the size that its annotation states is taken first.
        width, height: level-0 px, taken where the annotation states none; None where unknown.
    """
    size = np.array([roi.width or width or np.inf, roi.height or height or np.inf])
    centres = centers_of(roi.boxes.xyxy)
    return int(((centres < 0) | (centres >= size)).any(axis=1).sum())


def _check_places(rois: Sequence[Roi], file: Path) -> None:
    """Raise DataError where one centre in a hundred lies outside its image: boxes were misread.

    Two of MIDOG++'s 26,286 centres do.
    """
    sized = [roi for roi in rois if roi.width is not None and roi.height is not None]
    total = sum(len(roi.boxes) for roi in sized)
    outside = sum(centres_outside(roi) for roi in sized)
    if total and outside > max(total / 100, 1):
        raise DataError(
            f"{file}: {outside} of {total} boxes have their centre outside their image",
            f"{BOX_FIX}, or correct the file",
            BOX_SETTING,
        )


def _find_image(name: str, folder: Path) -> Path | None:
    places = (
        place / variant
        for variant in (name, PurePath(name).name)
        for place in (folder / "images", folder)
    )
    return next((place for place in places if place.is_file()), None)
