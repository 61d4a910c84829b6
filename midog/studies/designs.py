"""DESIGNS: the ways in which a study divides ROIs, and the parts that each plans."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow
from midog.data.splits import k_fold
from midog.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """One division of the ROIs of a study, on which a model is trained.

    name: part of its run's name. train_on: its scanners. split: its ROIs by role.
    """

    name: str
    train_on: tuple[str, ...]
    split: Split


@dataclass(frozen=True)
class Design:
    """A design.

    Args:
        about: Its words for help, listings and the page.
        plan: Its parts, from ROIs with their places in a split and the number of folds. Raises
            DataError.
    """

    about: str
    plan: Callable[[Sequence[Roi], int], list[Part]]


def plan_together(rois: Sequence[Roi], folds: int = 0) -> list[Part]:
    """Plan one training on all train ROIs."""
    scanners = tuple(dict.fromkeys(roi.scanner for roi in rois if roi.split == "train"))
    return [Part("all", scanners, _split_of(rois, "all scanners"))]


def plan_single(rois: Sequence[Roi], folds: int = 0) -> list[Part]:
    """Plan a training on every scanner alone."""
    scanners = require_two(rois)
    slugs = slugs_of(scanners)
    return [Part(f"only_{slugs[name]}", (name,), part_of(rois, (name,))) for name in scanners]


def plan_left_out(rois: Sequence[Roi], folds: int = 0) -> list[Part]:
    """Plan a training without every scanner that can be trained on alone.

    The others are trained on, also those that cannot be trained on alone, as they have no ROI in
    val: few labelled ROIs of a new scanner, say.
    """
    scanners = require_two(rois, otherwise="no model is trained on it alone")
    helpers = tuple(
        dict.fromkeys(
            roi.scanner for roi in rois if roi.split == "train" and roi.scanner not in scanners
        )
    )
    return leave_each_out(rois, scanners, helpers)


def plan_folds(rois: Sequence[Roi], folds: int = 5) -> list[Part]:
    """Plan a training for each of k folds, of which every labelled ROI is in test in one."""
    return [
        Part(
            f"fold{number}of{folds}",
            tuple(dict.fromkeys(row.scanner for row in split.rows if row.split == "train")),
            split,
        )
        for number, split in enumerate(k_fold(rois, folds=folds), 1)
    ]


DESIGNS: dict[str, Design] = {
    "all": Design("one training on all scanners", plan_together),
    "leave-one-out": Design("a training without each scanner", plan_left_out),
    "single": Design("a training on each scanner alone", plan_single),
    "folds": Design("a training for each of k folds, by patient", plan_folds),
}


def leave_each_out(
    rois: Sequence[Roi], scanners: Sequence[str], helpers: Sequence[str] = ()
) -> list[Part]:
    """Plan a training without every one of these scanners.

    Args:
        rois: With their places in a split.
        scanners: Each is left out once.
        helpers: Further scanners that all of these are trained on.
    """
    slugs = slugs_of(scanners)
    parts = []
    for left_out in scanners:
        others = tuple(name for name in (*scanners, *helpers) if name != left_out)
        parts.append(Part(f"without_{slugs[left_out]}", others, part_of(rois, others)))
    return parts


_NOT_TRAINED_ON = "it is tested on, and no model is trained on it"


def require_two(rois: Sequence[Roi], otherwise: str = _NOT_TRAINED_ON) -> list[str]:
    """Scanners that can be trained on alone, in the order of the ROIs: a figure in train, an ROI
    in val.

    Args:
        rois: With their places in a split.
        otherwise: What a warning says of a scanner that cannot.

    Raises:
        DataError: They are fewer than two, or no ROI is in test.
    """
    scanners = _trainable(rois, otherwise)
    if len(scanners) < 2:
        what = f"scanners with figures in train and ROIs in val: {', '.join(scanners) or 'none'}"
        raise DataError(
            what,
            "a shift between scanners needs two: name a split that has them in {data.split}",
            {"data.split": None},
        )
    if not any(roi.split == "test" for roi in rois):
        raise DataError("the split has no ROI in test", "make one with `midog splits make`")
    return scanners


def part_of(rois: Sequence[Roi], scanners: Sequence[str]) -> Split:
    """Train and val ROIs of those scanners; test and unlabelled ROIs of all."""
    kept = [roi for roi in rois if roi.split in ("test", "unlabelled") or roi.scanner in scanners]
    return _split_of(kept, ", ".join(scanners))


def listed_in(split: Split, rois: Sequence[Roi]) -> list[Roi]:
    """The ROIs that a split lists, as they are."""
    names = {row.file_name for row in split.rows}
    return [roi for roi in rois if roi.file_name in names]


def slugs_of(names: Sequence[str]) -> dict[str, str]:
    """Every name as part of a run's name; two that would be equal get a number."""
    slugs: dict[str, str] = {}
    for name in names:
        stem = slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "unknown"
        number = 2
        while slug in slugs.values():
            slug, number = f"{stem}_{number}", number + 1
        slugs[name] = slug
    return slugs


def _split_of(rois: Sequence[Roi], trained_on: str) -> Split:
    rows = (
        SplitRow(roi.file_name, roi.scanner, roi.patient, roi.split, roi.mpp, roi.columns)
        for roi in rois
    )
    return Split(f"trained on {trained_on}", tuple(rows))


def _trainable(rois: Sequence[Roi], otherwise: str) -> list[str]:
    scanners = dict.fromkeys(roi.scanner for roi in rois if roi.split in ("train", "val"))
    with_figures = {roi.scanner for roi in rois if roi.split == "train" and roi.boxes.has_figures}
    with_val = {roi.scanner for roi in rois if roi.split == "val"}
    for name in scanners:
        if name not in with_figures or name not in with_val:
            lacking = "figure in train" if name not in with_figures else "ROI in val"
            logger.warning("%s has no %s: %s", name, lacking, otherwise)
    return [name for name in scanners if name in with_figures and name in with_val]
