"""Data folders: images/, one annotation file and split.csv of each, joined into a list of Roi."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from midog.data.annotations.reader import AUTO, BoxChoice
from midog.data.find_images import with_images
from midog.data.in_use import (
    ImageFacts,
    facts_of_images,
    problems_in_use,
    size_squares,
    warnings_in_use,
)
from midog.data.join_split import attach_split, contradictions, problems_with
from midog.data.roi import Roi
from midog.data.roi_types import other_types
from midog.data.several_folders import Folders, locate_all, problems_across, scan_files, scan_splits
from midog.data.split_file import ROLES, Split, compact_names
from midog.data.text_file import raise_problems
from midog.errors import DataError

logger = logging.getLogger(__name__)


def read_rois(
    path: Folders,
    *,
    split: Path | str | None = None,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    classes: str = "",
    annotations_format: str = AUTO,
    in_areas: bool = False,
    quiet: bool = False,
) -> list[Roi]:
    """Read the ROIs of a data folder, of several used as one, or of an annotation file alone.

    Args:
        path: a folder with images/ (or the images themselves), one annotation file and maybe
            split.csv; or that file; or several of these, in whose ROIs no name comes twice.
        split: a CSV or the name of a shipped split; None takes split.csv of each folder, where it
            exists.
        annotations: the annotation file, where a folder has several or it is elsewhere.
        bbox: how the file writes boxes, see `read_annotations`.
        classes: what its classes are, see `read_annotations`.
        annotations_format: of what format it is, see `read_annotations`.
        in_areas: they are used in their areas alone; otherwise areas are an error.
        quiet: log neither what was read and assumed nor what was left out, for a split that is
            meant to leave ROIs out.

    Returns:
        ROIs with boxes, image paths and places in the split, in the order of the folders and of
        their files, then unlabelled ones that only a folder's split names. `path` is None where an
        image is missing. With a split, ROIs that it does not list are left out, with a warning.

    Raises:
        DataError: for what cannot be used, among it unlabelled ROIs in train, val or test.
    """
    folders = locate_all(path, annotations, annotations_format)
    scanned = scan_files(folders, bbox, classes, annotations_format)
    contents = [content for content, _ in scanned]
    for _, problems in scanned:
        raise_problems(problems)
    level = logging.DEBUG if quiet else logging.INFO
    for line in (line for one in contents for line in (one.describe(), *one.notes)):
        logger.log(level, "%s", line)
    splits = scan_splits(folders, [one.rois for one in contents], split)
    parts: list[list[Roi]] = []
    facts: dict[str, ImageFacts] = {}
    warnings: list[str] = []
    for one, content, of_split in zip(folders, contents, splits, strict=True):
        places = of_split.split
        raise_problems(of_split.problems)
        rois = content.rois
        if places is not None:
            for line in places.notes:
                logger.log(level, "%s", line)
            raise_problems(problems_with(places, rois))
            warnings += contradictions(rois, places)
            rois = listed(rois, places, quiet)
        rois = with_images(rois, one.folder)
        stated = facts_of_images(rois, content.are_points)
        parts.append(size_squares(rois, stated) if content.are_points else rois)
        facts |= stated
    raise_problems(problems_across(folders, parts))
    rois = [roi for part in parts for roi in part]
    raise_problems(problems_in_use(rois, facts, in_areas=in_areas))
    for line in other_types(rois):
        logger.log(level, "%s", line)
    for line in [] if quiet else [*warnings, *warnings_in_use(rois, facts)]:
        logger.warning("%s", line)
    return rois


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
    """16 hex digits that change with an ROI's name, size, mpp, boxes, place in the split or type.

    They do not change with the order of the ROIs, where the images are, or their pixels.
    """
    digests = []
    for roi in rois:
        facts = (roi.file_name, roi.width, roi.height, roi.mpp, roi.scanner, roi.patient, roi.split)
        boxes = roi.boxes.xyxy.astype("<f4").tobytes() + roi.boxes.labels.astype("<i8").tobytes()
        boxes += roi.ignored.astype("<f4").tobytes()
        roi_type = roi.columns.get("roi_type", "").encode()  # it may decide what is drawn
        digests.append(hashlib.sha256(repr(facts).encode() + boxes + roi_type).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]
