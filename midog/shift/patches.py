"""Patches at fixed places of every scanner's ROIs, wherever the figures are, to compare scanners
by."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.data.mpp import resampling, roi_mpp
from midog.data.roi import Roi
from midog.data.split_file import compact_names
from midog.images.image import SlideImage, open_image
from midog.images.pixels import Pixels
from midog.mpp import Scale
from midog.random_streams import number_of_file
from midog.stains import tissue_share

logger = logging.getLogger(__name__)

MAX_ROIS = 50
"""Most ROIs of a scanner that patches are cut from; of more, a choice."""
_CANDIDATES = 4  # places tried for each patch that is requested
_MIN_TISSUE = 0.5  # share of a patch


@dataclass(frozen=True, eq=False)
class ScannerPatches:
    """Patches of one scanner.

    labelled: whether any of its ROIs has labels. images: (P, S, S, 3) uint8 RGB.
    rois, patients: of each patch, the file name of its ROI and its patient (the file name where
    none is named).
    available: ROIs to choose from. small: ROIs smaller than a patch, whose one patch is white at
    its edges.
    """

    scanner: str
    labelled: bool
    images: Pixels
    rois: list[str]
    patients: list[str]
    available: int
    small: int


def fixed_patches(
    rois: Sequence[Roi],
    *,
    size_px: int = 256,
    per_roi: int = 16,
    max_rois: int = MAX_ROIS,
    mpp: float = 0.25,
    seed: int = 0,
) -> list[ScannerPatches]:
    """Cut patches from each ROI, at places that do not depend on labels.

    Places are a pure function of seed, file name and index; those with over half tissue come first.
    An ROI smaller than a patch gives one, white beyond its edges. ROIs whose image is missing are
    left out, with a warning, and so are scanners of which none is left.

    Args:
        rois: Of all scanners, labelled or not.
        size_px: Side of a patch, px of `mpp`.
        per_roi: Patches of each ROI.
        max_rois: Most ROIs of a scanner; of more, a choice by seed and file name.
        mpp: um/px to which an image is resampled where it differs by over 10 %.
        seed: Of places and choices.

    Returns:
        Patches by scanner, in the order of the ROIs.

    Raises:
        ImageError: An image cannot be read or has no mpp.
    """
    assert min(size_px, per_roi, max_rois) > 0, (size_px, per_roi, max_rois)
    missing = [roi.file_name for roi in rois if roi.path is None]
    if missing:
        names = compact_names(missing)
        logger.warning(
            "%d of %d images are missing and are not compared: %s", len(missing), len(rois), names
        )
    by_scanner: dict[str, list[tuple[Roi, Path]]] = {}
    for roi in rois:
        if roi.path is not None:
            by_scanner.setdefault(roi.scanner, []).append((roi, roi.path))
    return [
        _of_scanner(scanner, images, _Cut(size_px, per_roi, mpp, seed), max_rois)
        for scanner, images in by_scanner.items()
    ]


def describe(patches: Sequence[ScannerPatches], *, size_px: int, mpp: float, seed: int) -> str:
    """Say in words what `fixed_patches` gave: "32 patches from 2 of the test and unlabelled …"."""
    rois = {own.scanner: len(set(own.rois)) for own in patches}
    counts = _range([len(own.rois) for own in patches])
    lines = [
        f"{counts} patches from {_range(list(rois.values()))} of the test and unlabelled ROIs of"
        f" each scanner, {size_px} px at {mpp:g} um/px, places of seed {seed}"
    ]
    for own in patches:
        if rois[own.scanner] < own.available:
            lines.append(
                f"of the {own.available} ROIs of {own.scanner} {rois[own.scanner]} were drawn"
            )
    small = sum(own.small for own in patches)
    if small:
        lines.append(
            f"{small} ROIs are smaller than a patch and gave one each, white beyond the ROI"
        )
    return "; ".join(lines)


@dataclass(frozen=True)
class _Cut:
    """How patches are cut: side in px of mpp (um/px), number of each ROI, seed of the places."""

    size: int
    count: int
    mpp: float
    seed: int


def _of_scanner(
    scanner: str, images: list[tuple[Roi, Path]], cut: _Cut, max_rois: int
) -> ScannerPatches:
    order = sorted(
        range(len(images)),
        key=lambda number: number_of_file(cut.seed, images[number][0].file_name, "roi"),
    )
    kept = [images[number] for number in sorted(order[:max_rois])]
    of_rois, small = [], 0
    for roi, path in kept:
        patches, fits = _patches_of(roi, path, cut)
        of_rois.append(patches)
        small += not fits
    owners = [roi for (roi, _), patches in zip(kept, of_rois, strict=True) for _ in patches]
    return ScannerPatches(
        scanner=scanner,
        labelled=any(roi.split != "unlabelled" for roi, _ in images),
        images=np.stack([patch for patches in of_rois for patch in patches]),
        rois=[roi.file_name for roi in owners],
        patients=[roi.patient_or_name for roi in owners],
        available=len(images),
        small=small,
    )


def _patches_of(roi: Roi, path: Path, cut: _Cut) -> tuple[list[Pixels], bool]:
    """Its patches, and whether a patch fits into it."""
    size = cut.size
    with open_image(path) as image:
        own = roi_mpp(roi, image.stated_mpp)
        scale = resampling(roi.file_name, (image.width, image.height), own, cut.mpp)
        width, height = image.scaled_size(scale)
        if min(width, height) < size:
            x, y = (width - size) // 2, (height - size) // 2
            return [image.read_scaled(x, y, size, size, scale)], False
        return _most_tissue(image, roi.file_name, cut, scale), True


def _most_tissue(image: SlideImage, name: str, cut: _Cut, scale: Scale) -> list[Pixels]:
    """The first patches with enough tissue; where too few have it, those with the most, in their
    order."""
    size, (width, height) = cut.size, image.scaled_size(scale)
    shares: list[float] = []
    patches: list[Pixels] = []
    for index in range(_CANDIDATES * cut.count):
        x = number_of_file(cut.seed, name, f"x{index}") * (width - size + 1) >> 64
        y = number_of_file(cut.seed, name, f"y{index}") * (height - size + 1) >> 64
        patches.append(image.read_scaled(x, y, size, size, scale))
        shares.append(min(tissue_share(patches[-1][::4, ::4]), _MIN_TISSUE))
        if shares.count(_MIN_TISSUE) == cut.count:
            break
    # of equal ones, the first
    best = sorted(range(len(shares)), key=lambda index: -shares[index])[: cut.count]
    return [patches[index] for index in sorted(best)]


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low}" if low == high else f"{low} to {high}"
