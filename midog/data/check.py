"""What a data folder holds, per scanner and split, and everything that is wrong with it, found in
one pass."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.read import BoxChoice, scan_annotations
from midog.data.folder import centres_outside, default_split, locate, with_images
from midog.data.roi import Roi
from midog.data.split_file import ROLES, compact_names, scan_split
from midog.data.splits import attach_split, find_unlabelled, problems_with
from midog.errors import DataError, ImageError
from midog.images.image import IMAGE_SUFFIXES, MPP_TOLERANCE

_BAND_PX = 1024


@dataclass(frozen=True)
class GroupCount:
    """ROIs of one scanner in one part of the split. area_mm2: NaN where a size or mpp is not
    known."""

    scanner: str
    split: str
    rois: int
    figures: int
    imposters: int
    area_mm2: float

    @property
    def figures_per_mm2(self) -> float:
        """NaN where the area is not known or no one labelled the ROIs."""
        known = self.area_mm2 > 0 and self.split != "unlabelled"
        return self.figures / self.area_mm2 if known else math.nan


@dataclass(frozen=True)
class FolderReport:
    """What `check_folder` found.

    source: how the annotation file was read, one line; "" where it could not be.
    groups: by scanner, then train, val, test, unlabelled.
    problems: what must be mended before the data can be used; warnings: what may be meant so. One
    line each.
    """

    source: str
    groups: tuple[GroupCount, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    def header(self) -> list[str]:
        """Names of the columns of `lines`."""
        return ["scanner", "split", "ROIs", "figures", "imposters", "mm2", "figures per mm2"]

    def lines(self) -> list[list[str]]:
        """The groups as text, and a line for all of them where there are several; '-' for what is
        not known."""
        total = GroupCount(
            scanner="all",
            split="",
            rois=sum(group.rois for group in self.groups),
            figures=sum(group.figures for group in self.groups),
            imposters=sum(group.imposters for group in self.groups),
            area_mm2=math.fsum(group.area_mm2 for group in self.groups),
        )
        shown = [*self.groups, total] if len(self.groups) > 1 else self.groups
        return [
            [
                group.scanner or "-",
                group.split or "-",
                str(group.rois),
                str(group.figures),
                str(group.imposters),
                _number(group.area_mm2, 2),
                "-" if group is total else _number(group.figures_per_mm2, 1),
            ]
            for group in shown
        ]


def check_folder(
    path: Path | str,
    *,
    split: Path | str | None = None,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    images: bool = True,
    pixels: bool = False,
) -> FolderReport:
    """Read all that `read_rois` reads, and the images, and go on past whatever is wrong.

    images: open each image: its size, mpp and last pixels; False looks at the annotation file and
    the split alone.
    pixels: decode each image to the last pixel. Other arguments as for `read_rois`. Raises nothing
    for bad data.
    """
    try:
        folder, file = locate(path, annotations)
        read, found = scan_annotations(file, bbox=bbox)
    except DataError as error:
        return FolderReport("", (), (str(error),), ())
    problems, warnings = [str(each) for each in found], list[str]()
    chosen = split if split is not None else default_split(path)
    rois = with_images(_join(read.rois, chosen, problems, warnings), folder)
    facts: dict[str, _Facts] = {}
    if images:
        _check_files(rois, folder, problems, warnings)
        facts = {
            roi.file_name: seen for roi in rois if (seen := _look(roi, pixels, problems, warnings))
        }
        _check_mpp(rois, facts, problems, warnings)
    _check_boxes(rois, facts, problems, warnings)
    lacking = [role for role in ("train", "val") if role not in {roi.split for roi in rois}]
    if lacking and chosen is not None:
        warnings.append(
            f"the split has no ROI in {' and none in '.join(lacking)}: `midog train` needs both"
        )
    return FolderReport(read.describe(), _groups(rois, facts), tuple(problems), tuple(warnings))


class _Facts(NamedTuple):
    """What an image file itself says."""

    width: int
    height: int
    mpp: float | None


def _check_boxes(
    rois: Sequence[Roi], facts: Mapping[str, _Facts], problems: list[str], warnings: list[str]
) -> None:
    outside, doubled = Counter[str](), Counter[str]()
    for roi in rois:
        seen = facts.get(roi.file_name)
        outside[roi.file_name] = centres_outside(roi, seen and seen.width, seen and seen.height)
        doubled[roi.file_name] = len(roi.boxes) - len(np.unique(roi.boxes.xyxy, axis=0))
    total = sum(len(roi.boxes) for roi in rois)
    told = {
        "boxes have their centre outside the image": (
            outside,
            outside.total() > max(total / 100, 1),
        ),
        "boxes stand twice at one place": (doubled, False),
    }
    for what, (counts, bad) in told.items():
        if counts.total():
            line = (
                f"{counts.total()} {what}: {compact_names(name for name in counts if counts[name])}"
            )
            (problems if bad else warnings).append(line)


def _join(
    rois: Sequence[Roi], split_name: Path | str | None, problems: list[str], warnings: list[str]
) -> Sequence[Roi]:
    if split_name is None:
        warnings.append(
            "there is no split.csv, so ROIs have no scanner, patient or role; see `midog splits"
            " make`"
        )
        return rois
    try:
        split, found = scan_split(split_name)
    except DataError as error:
        problems.append(str(error))
        return rois
    problems += [str(each) for each in found + problems_with(split, rois)]
    joined = attach_split(rois, split)
    outside = [roi.file_name for roi in joined if not roi.split]
    if outside:
        warnings.append(
            f"{len(outside)} ROIs are not in {split.name} and are left out:"
            f" {compact_names(outside)}"
        )
    told = find_unlabelled(joined)
    quiet = [
        roi
        for roi in joined
        if roi.split in ROLES[:3] and not len(roi.boxes) and roi.file_name not in told
    ]
    if quiet:
        names = compact_names(roi.file_name for roi in quiet)
        warnings.append(
            f"{len(quiet)} ROIs have no figure and no imposter; were they labelled? {names}"
        )
    return [roi for roi in joined if roi.split]


def _check_files(
    rois: Sequence[Roi], folder: Path, problems: list[str], warnings: list[str]
) -> None:
    missing = [roi for roi in rois if roi.path is None]
    for wanted, told in ((True, problems), (False, warnings)):
        absent = [roi.file_name for roi in missing if (roi.split != "unlabelled") == wanted]
        if absent:
            told.append(
                f"{len(absent)} {'' if wanted else 'unlabelled '}images are missing:"
                f" {compact_names(absent)}"
            )
    uses = Counter(roi.path for roi in rois if roi.path is not None)
    for path in (path for path, count in uses.items() if count > 1):
        names = compact_names(roi.file_name for roi in rois if roi.path == path)
        problems.append(f"{path} is the image of {uses[path]} ROIs: {names}; name each image once")
    here = (folder / "images").iterdir() if (folder / "images").is_dir() else []
    others = [
        file.name for file in here if file not in uses and file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if others:
        warnings.append(f"{len(others)} images are not in use: {compact_names(others)}")


def _look(roi: Roi, pixels: bool, problems: list[str], warnings: list[str]) -> _Facts | None:
    """Open the image and read its last pixels, or all of them; None where there is none or it
    cannot be read."""
    from midog.images.image import open_image

    if roi.path is None:
        return None
    try:
        with open_image(roi.path) as image:
            facts = _Facts(image.width, image.height, image.mpp)
            for top in range(0 if pixels else max(0, image.height - 1), image.height, _BAND_PX):
                image.read(0, top, image.width, min(_BAND_PX, image.height - top))
    except ImageError as error:
        problems.append(str(error))
        return None
    if roi.width is not None and (roi.width, roi.height) != facts[:2]:
        # without boxes nothing depends on the size: MIDOG 2021 itself swaps those of two unlabelled
        # ROIs
        told = warnings if roi.split == "unlabelled" and not len(roi.boxes) else problems
        told.append(
            f"{roi.file_name} is {facts.width}x{facts.height} px, its annotation says"
            f" {roi.width}x{roi.height}; get the image that was annotated"
        )
    return facts


def _check_mpp(
    rois: Sequence[Roi], facts: Mapping[str, _Facts], problems: list[str], warnings: list[str]
) -> None:
    pairs = {
        roi.file_name: (roi.mpp, facts[roi.file_name].mpp) for roi in rois if roi.file_name in facts
    }
    unknown = [name for name, pair in pairs.items() if pair == (None, None)]
    if unknown:
        fix = "add a column `mpp` (um per pixel) to the split"
        problems.append(
            f"the um per pixel of {len(unknown)} images are not known: {compact_names(unknown)};"
            f" {fix}"
        )
    apart = {
        n: (a, b)
        for n, (a, b) in pairs.items()
        if a and b and max(a, b) > (1 + MPP_TOLERANCE) * min(a, b)
    }
    if apart:
        said, found = next(iter(apart.values()))
        warnings.append(
            f"the um per pixel of {len(apart)} images are over 10 % from those of the split or"
            f" annotation ({found:.4g} and {said:.4g} in the first): {compact_names(apart)}"
        )


def _groups(rois: Sequence[Roi], facts: Mapping[str, _Facts]) -> tuple[GroupCount, ...]:
    members: dict[tuple[str, str], list[Roi]] = defaultdict(list)
    for roi in rois:
        members[roi.scanner, roi.split].append(roi)
    order = sorted(members, key=lambda key: (key[0], (*ROLES, "").index(key[1])))
    return tuple(
        GroupCount(
            scanner=key[0],
            split=key[1],
            rois=len(members[key]),
            figures=sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in members[key]),
            imposters=sum(len(roi.boxes.of_class(IMPOSTER)) for roi in members[key]),
            area_mm2=math.fsum(_area_mm2(roi, facts.get(roi.file_name)) for roi in members[key]),
        )
        for key in order
    )


def _area_mm2(roi: Roi, facts: _Facts | None) -> float:
    width, height = (roi.width, roi.height) if facts is None else facts[:2]
    mpp = roi.mpp if roi.mpp is not None or facts is None else facts.mpp
    return width * height * (mpp / 1000) ** 2 if width and height and mpp else math.nan


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
