"""What the ROIs of a folder must fulfil in every command that uses them, and squares of points."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from midog.boxes import (
    FIGURE_SIDE_PX,
    FIGURE_SIDE_UM,
    Boxes,
    centers_of,
    squares_around,
)
from midog.data.annotations.figures import BOX_FIX, BOX_SETTING
from midog.data.roi import Roi
from midog.data.roi_types import has_figures, is_declared_free
from midog.data.split_file import compact_names
from midog.data.text_file import Problems
from midog.errors import DataError, ImageError
from midog.images.image import open_image
from midog.mpp import Mpp, StatedMpp, as_mpp


class ImageFacts(NamedTuple):
    """What an image file itself states: px, and um/px where it does."""

    width: int
    height: int
    mpp: StatedMpp


def facts_of_images(rois: Sequence[Roi], are_points: bool) -> dict[str, ImageFacts]:
    """What images state, by file name, of those ROIs whose boxes cannot be placed without it.

    An image that cannot be opened is left out: what needs its pixels reports it.

    Args:
        rois: with paths.
        are_points: squares are to be sized at the mpp of their ROI.
    """
    facts = {}
    for roi in rois:
        needs_size = roi.width is None and len(roi.boxes) > 0
        needs_mpp = are_points and roi.mpp is None and roi.has_boxes
        if roi.path is not None and (needs_size or needs_mpp):
            try:
                with open_image(roi.path) as image:
                    facts[roi.file_name] = ImageFacts(image.width, image.height, image.stated_mpp)
            except ImageError:
                continue
    return facts


def size_squares(rois: Sequence[Roi], facts: Mapping[str, ImageFacts]) -> list[Roi]:
    """ROIs whose squares around points are 12.5 um wide at the mpp of each.

    Args:
        rois: with squares of FIGURE_SIDE_PX, which stay where no mpp is known.
        facts: what images state, by file name.
    """
    sized = []
    for roi in rois:
        stated = facts.get(roi.file_name)
        mpp = as_mpp(roi.mpp) or (stated.mpp.mpp if stated else None)
        sized.append(roi if mpp is None else _with_squares(roi, mpp))
    return sized


def problems_in_use(
    rois: Sequence[Roi], facts: Mapping[str, ImageFacts], *, in_areas: bool = False
) -> Problems:
    """What is wrong with ROIs, whatever they are used for: the same from every command.

    ROIs that share an image; figures outside their images, of more than one in a hundred (two of
    MIDOG++'s 26,286 are), as boxes were misread then; a column figure_free that the boxes do not
    bear out; a part val without a mitotic figure, by which no model and no threshold can be chosen,
    unless all of it is declared free of figures; ROIs of which areas alone are annotated.

    Args:
        rois: with paths and places in the split.
        facts: what images state, by file name.
        in_areas: they are used in their areas alone.
    """
    return [
        *([] if in_areas else _in_areas(rois)),
        *_shared_images(rois),
        *_outside(rois, facts),
        *_not_as_declared(rois),
        *_val_without_figures(rois),
    ]


def warnings_in_use(rois: Sequence[Roi], facts: Mapping[str, ImageFacts]) -> list[str]:
    """What is used as it is, but may not be meant so; one line each."""
    count, names = _count_outside(rois, facts)
    if not count or _is_misread(count, rois):
        return []
    return [f"{count} boxes have their centre outside the image: {compact_names(names)}"]


def centres_outside(roi: Roi, width: int | None = None, height: int | None = None) -> int:
    """How many boxes have their centre outside the image.

    Args:
        roi: an ROI; the size that its annotation states is taken first.
        width, height: level-0 px, taken where the annotation states none; None where unknown.
    """
    size = np.array([roi.width or width or np.inf, roi.height or height or np.inf])
    centres = centers_of(roi.boxes.xyxy)
    return int(((centres < 0) | (centres >= size)).any(axis=1).sum())


def _with_squares(roi: Roi, mpp: Mpp) -> Roi:
    """An ROI with squares of a figure's size, in um, around the same centres."""
    sides = np.array([FIGURE_SIDE_UM / mpp.x, FIGURE_SIDE_UM / mpp.y])
    if (sides == FIGURE_SIDE_PX).all():
        return roi
    boxes = Boxes(squares_around(centers_of(roi.boxes.xyxy), sides), roi.boxes.labels)
    return replace(roi, boxes=boxes, ignored=squares_around(centers_of(roi.ignored), sides))


def _in_areas(rois: Sequence[Roi]) -> Problems:
    names = [roi.file_name for roi in rois if len(roi.areas)]
    if not names:
        return []
    what = f"{len(names)} slides are annotated in areas alone: {compact_names(names)}"
    fix = "cut these out with `midog data cut`, or leave their class out with {data.classes}"
    return [DataError(what, fix, {"data.classes": None})]


def _shared_images(rois: Sequence[Roi]) -> Problems:
    uses: dict[str, list[Roi]] = defaultdict(list)
    for roi in rois:
        if roi.path is not None:
            uses[os.path.realpath(roi.path)].append(roi)
    return [
        DataError(
            f"{theirs[0].path} is the image of {len(theirs)} ROIs:"
            f" {compact_names(roi.file_name for roi in theirs)}",
            "name each image once; images of one name go into folders of their own in images/",
        )
        for theirs in uses.values()
        if len(theirs) > 1
    ]


def _outside(rois: Sequence[Roi], facts: Mapping[str, ImageFacts]) -> Problems:
    count, names = _count_outside(rois, facts)
    if not count or not _is_misread(count, rois):
        return []
    what = f"{count} boxes have their centre outside the image: {compact_names(names)}"
    fix = f"write px of level 0 of these very images, or {BOX_FIX}"
    return [DataError(what, fix, BOX_SETTING)]


def _count_outside(rois: Sequence[Roi], facts: Mapping[str, ImageFacts]) -> tuple[int, list[str]]:
    outside = {}
    for roi in rois:
        stated = facts.get(roi.file_name)
        size = stated[:2] if stated else (None, None)
        outside[roi.file_name] = centres_outside(roi, *size)
    return sum(outside.values()), [name for name, count in outside.items() if count]


def _is_misread(count: int, rois: Sequence[Roi]) -> bool:
    return count > max(sum(len(roi.boxes) for roi in rois) / 100, 1)


def _not_as_declared(rois: Sequence[Roi]) -> Problems:
    """ROIs declared free of figures that have some; and such in use that are declared to hold some
    and have none, all of which would count as background."""
    full = [roi.file_name for roi in rois if is_declared_free(roi) and has_figures(roi)]
    empty = [
        roi.file_name
        for roi in rois
        if roi.columns.get("figure_free") == "no"
        and roi.split not in ("", "unlabelled")
        and not has_figures(roi)
    ]
    problems: Problems = []
    if full:
        what = f"{len(full)} ROIs are declared figure_free and have mitotic figures"
        fix = "correct their boxes or the column `figure_free`"
        problems.append(DataError(f"{what}: {compact_names(full)}", fix))
    if empty:
        what = (
            f"{len(empty)} ROIs state figure_free = no, and no mitotic figure of theirs is listed"
        )
        fix = "annotate them, correct the column, or give them the split 'unlabelled'"
        problems.append(DataError(f"{what}: {compact_names(empty)}", fix))
    return problems


def _val_without_figures(rois: Sequence[Roi]) -> Problems:
    val = [roi for roi in rois if roi.split == "val"]
    if any(map(has_figures, val)) or all(map(is_declared_free, val)):
        return []
    names = compact_names(roi.file_name for roi in val)
    return [
        DataError(
            f"no ROI of val has a mitotic figure, to choose a model and its threshold by: {names}",
            "put ROIs with figures into val, or make another split with `midog splits make`",
        )
    ]
