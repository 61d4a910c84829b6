"""Check data folders: what they hold, and everything that is wrong with them, found in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from midog.data.annotations.reader import AUTO, BoxChoice
from midog.data.find_images import with_images
from midog.data.folder_report import FolderReport, groups_of
from midog.data.in_use import ImageFacts, problems_in_use, warnings_in_use
from midog.data.join_split import (
    attach_split,
    contradictions,
    find_unlabelled,
    is_stated_labelled,
    problems_with,
)
from midog.data.mpp import is_unusual
from midog.data.roi import Roi
from midog.data.roi_types import has_figures, is_declared_free, other_types
from midog.data.several_folders import (
    Folders,
    Located,
    locate_all,
    problems_across,
    scan_files,
    scan_splits,
)
from midog.data.split_file import ROLES, Split, compact_names
from midog.errors import DataError, ImageError, MidogError
from midog.images.image import IMAGE_SUFFIXES, open_image
from midog.images.opened_file import one_kind_of_error
from midog.mpp import Mpp, StatedMpp, as_mpp, out_of_range

_BAND_PX = 1024


@dataclass(frozen=True)
class _Findings:
    """What some checks found."""

    problems: Sequence[MidogError] = field(default_factory=list)
    warnings: Sequence[str] = field(default_factory=list)
    notes: Sequence[str] = field(default_factory=list)

    def __add__(self, other: Self) -> _Findings:
        return _Findings(
            [*self.problems, *other.problems],
            [*self.warnings, *other.warnings],
            [*self.notes, *other.notes],
        )


def check_folder(
    path: Folders,
    *,
    split: Path | str | None = None,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    classes: str = "",
    annotations_format: str = AUTO,
    images: bool = True,
    pixels: bool = False,
) -> FolderReport:
    """Read all that `read_rois` reads, and the images, past whatever is wrong; raise nothing of it.

    Args:
        path, split, annotations, bbox, classes, annotations_format: as `read_rois`.
        images: open every image: its size, mpp and last pixels; False reads the annotation files
            and the splits alone.
        pixels: decode every image to the last pixel.
    """
    try:
        folders = locate_all(path, annotations, annotations_format)
        scanned = scan_files(folders, bbox, classes, annotations_format)
    except MidogError as error:
        return FolderReport("", (), (error,), ())
    findings = _Findings()
    for content, problems in scanned:
        findings += _Findings(problems, notes=[*content.notes, *_ignored(content.rois)])
    contents = [content for content, _ in scanned]
    splits, of_splits = _scan_splits(folders, [content.rois for content in contents], split)
    findings += of_splits
    facts: dict[str, ImageFacts] = {}
    parts: list[list[Roi]] = []
    for one, content, places in zip(folders, contents, splits, strict=True):
        joined, of_join = _join(content.rois, places)
        parts.append(with_images(joined, one.folder))
        findings += of_join
        if images:
            stated, of_images = _check_images(parts[-1], pixels)
            findings += _check_files(parts[-1], one.folder) + of_images
            findings += _check_mpp(parts[-1], stated)
            facts |= stated
    rois = [roi for part in parts for roi in part]
    findings += _Findings(problems_across(folders, parts))
    findings += _Findings(problems_in_use(rois, facts), warnings_in_use(rois, facts))
    findings += _check_doubled(rois) + _Findings(notes=[*other_types(rois), *_free(rois)])
    if any(places is not None for places in splits) or of_splits.problems:
        findings += _Findings(warnings=_lacking(rois))
    return FolderReport(
        "; ".join(content.describe() for content in contents),
        groups_of(rois, facts),
        tuple(findings.problems),
        tuple(findings.warnings),
        tuple(findings.notes),
    )


def _scan_splits(
    folders: Sequence[Located], rois: Sequence[Sequence[Roi]], split: Path | str | None
) -> tuple[list[Split | None], _Findings]:
    """The split of each folder, as far as it can be read."""
    try:
        scanned = scan_splits(folders, rois, split)
    except DataError as error:
        return [None] * len(folders), _Findings([error])
    warnings = []
    if all(one.split is None for one in scanned):
        stated = any(roi.scanner or roi.patient for theirs in rois for roi in theirs)
        lost = f"{'' if stated else 'scanner, patient or '}role"
        warnings = [f"there is no split.csv, so ROIs have no {lost}; see `midog splits make`"]
    problems = [problem for one in scanned for problem in one.problems]
    return [one.split for one in scanned], _Findings(problems, warnings)


def _join(rois: Sequence[Roi], split: Split | None) -> tuple[Sequence[Roi], _Findings]:
    """The ROIs that a split lists, with their places in it; all where there is none."""
    if split is None:
        return rois, _Findings()
    problems = problems_with(split, rois)
    joined = attach_split(rois, split)
    warnings = contradictions(rois, split)
    outside = [roi.file_name for roi in joined if not roi.split]
    if outside:
        names = compact_names(outside)
        warnings.append(f"{len(outside)} ROIs are not in {split.name} and are left out: {names}")
    unlabelled = find_unlabelled(joined)
    quiet = [
        roi.file_name
        for roi in joined
        if roi.split in ROLES[:3]
        and not roi.has_boxes
        and roi.file_name not in unlabelled
        and not is_stated_labelled(roi)
    ]
    if quiet:
        line = f"{len(quiet)} ROIs have no figure and no imposter; were they labelled?"
        warnings.append(f"{line} {compact_names(quiet)}")
    return [roi for roi in joined if roi.split], _Findings(problems, warnings, split.notes)


def _free(rois: Sequence[Roi]) -> list[str]:
    """A line on the ROIs that are declared free of figures, where there are any."""
    count = sum(map(is_declared_free, rois))
    return [f"{count} ROIs are declared free of figures"] if count else []


def _lacking(rois: Sequence[Roi]) -> list[str]:
    """A line on the roles that a training needs and the split does not have."""
    lacking = [role for role in ("train", "val") if role not in {roi.split for roi in rois}]
    line = f"the split has no ROI in {' and none in '.join(lacking)}: `midog train` needs both"
    free = [
        role
        for role in ("train", "val")
        if role not in lacking and not any(has_figures(roi) for roi in rois if roi.split == role)
    ]
    needs = f"no ROI of {' and none of '.join(free)} has a mitotic figure: `midog train` needs some"
    return [line] * bool(lacking) + [needs] * bool(free)


def _ignored(rois: Sequence[Roi]) -> list[str]:
    """A line on boxes to ignore, where there are any."""
    count = sum(len(roi.ignored) for roi in rois)
    return [f"{count} boxes are to be ignored: neither figures nor background"] if count else []


def _check_files(rois: Sequence[Roi], folder: Path) -> _Findings:
    """Images that are missing or not used."""
    problems: list[MidogError] = []
    warnings = []
    missing = [roi for roi in rois if roi.path is None]
    needed = [roi.file_name for roi in missing if roi.split != "unlabelled"]
    if needed:
        problems.append(DataError(f"{len(needed)} images are missing: {compact_names(needed)}"))
    unlabelled = [roi.file_name for roi in missing if roi.split == "unlabelled"]
    if unlabelled:
        names = compact_names(unlabelled)
        warnings.append(f"{len(unlabelled)} unlabelled images are missing: {names}")
    uses = {roi.path for roi in rois}
    files = (folder / "images").iterdir() if (folder / "images").is_dir() else []
    others = [
        file.name for file in files if file not in uses and file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if others:
        warnings.append(f"{len(others)} images are not in use: {compact_names(others)}")
    return _Findings(problems, warnings)


def _check_images(rois: Sequence[Roi], pixels: bool) -> tuple[dict[str, ImageFacts], _Findings]:
    """What images state, by file name, and those that cannot be read or are of another size."""
    facts: dict[str, ImageFacts] = {}
    findings = _Findings()
    for roi in rois:
        if roi.path is None:
            continue
        try:
            stated = _read_image(roi.path, pixels)
        except ImageError as error:
            findings += _Findings([error])
            continue
        facts[roi.file_name] = stated
        if roi.width is None or (roi.width, roi.height) == stated[:2]:
            continue
        other_size = DataError(
            f"{roi.file_name} is {stated.width}x{stated.height} px, its annotation says"
            f" {roi.width}x{roi.height}",
            "get the image that was annotated",
        )
        # Without boxes nothing depends on the size: MIDOG 2021 itself swaps those of two unlabelled
        # ROIs.
        harmless = roi.split == "unlabelled" and not len(roi.boxes)
        findings += _Findings(warnings=[str(other_size)]) if harmless else _Findings([other_size])
    return facts, findings


def _read_image(path: Path, pixels: bool) -> ImageFacts:
    """Open an image and read its last row, or all of it; whatever is wrong is an ImageError."""
    with one_kind_of_error(path), open_image(path) as image:
        for top in range(0 if pixels else max(0, image.height - 1), image.height, _BAND_PX):
            image.read(0, top, image.width, min(_BAND_PX, image.height - top))
        return ImageFacts(image.width, image.height, image.stated_mpp)


def _check_mpp(rois: Sequence[Roi], facts: Mapping[str, ImageFacts]) -> _Findings:
    """Images whose mpp is stated nowhere, or differs between image and split or annotation."""
    pairs = {
        roi.file_name: (as_mpp(roi.mpp), facts[roi.file_name].mpp)
        for roi in rois
        if roi.file_name in facts
    }
    unknown = {name: own for name, (stated, own) in pairs.items() if not (stated or own.mpp)}
    problems: list[MidogError] = []
    fix = "add a column `mpp` (um per pixel) to the split"
    if unsaid := [name for name, own in unknown.items() if not own.out_of_range]:
        what = f"the um per pixel of {len(unsaid)} images are unknown: {compact_names(unsaid)}"
        problems.append(DataError(what, fix))
    if wrong := {name: own.out_of_range for name, own in unknown.items() if own.out_of_range}:
        first = next(iter(wrong.values()))
        what = f"the um per pixel of {len(wrong)} images are no microscope's"
        what += f" ({out_of_range(first.mpp, first.source)} in the first): {compact_names(wrong)}"
        problems.append(DataError(what, fix))
    return _Findings(problems, _warnings_of_mpp(pairs))


def _warnings_of_mpp(pairs: Mapping[str, tuple[Mpp | None, StatedMpp]]) -> list[str]:
    """Where split or annotation and the image differ, and where figures would hardly be seen.

    pairs: what split or annotation state and what the image states, by file name.
    """
    apart = {
        name: (stated, own.mpp)
        for name, (stated, own) in pairs.items()
        if stated and own.mpp and not stated.agrees_with(own.mpp)
    }
    held = {name: stated or own.mpp for name, (stated, own) in pairs.items()}
    unusual = {name: mpp for name, mpp in held.items() if mpp and is_unusual(mpp)}
    warnings = []
    if apart:
        stated, in_image = next(iter(apart.values()))
        warnings.append(
            f"the um per pixel of {len(apart)} images are over 0.2 % from those of the split or"
            f" annotation, which hold ({in_image} and {stated} in the first):"
            f" {compact_names(apart)}"
        )
    if unusual:
        warnings.append(
            f"the um per pixel of {len(unusual)} images are unusual"
            f" ({next(iter(unusual.values()))} in the first; figures are seen at 0.1 to 1):"
            f" {compact_names(unusual)}"
        )
    return warnings


def _check_doubled(rois: Sequence[Roi]) -> _Findings:
    """Boxes listed twice at one place."""
    doubled = Counter[str]()
    for roi in rois:
        doubled[roi.file_name] = len(roi.boxes) - len(np.unique(roi.boxes.xyxy, axis=0))
    if not doubled.total():
        return _Findings()
    names = compact_names(name for name in doubled if doubled[name])
    return _Findings(warnings=[f"{doubled.total()} boxes are listed twice at one place: {names}"])
