"""Patches at fixed places of every scanner's ROIs, wherever the figures are: what scanners are
compared by."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midog.data.mpp import roi_mpp
from midog.data.roi import Roi
from midog.data.split_file import compact_names
from midog.images.image import SlideImage, open_image, scale_for
from midog.random_streams import number_of_file
from midog.stains import tissue_share

logger = logging.getLogger(__name__)

MAX_ROIS = 50
"""ROIs of a scanner that are looked at; of more, a choice."""
_CANDIDATES = 4  # places looked at for each patch that is wanted
_MIN_TISSUE = 0.5  # share of a patch


@dataclass(frozen=True, eq=False)
class ScannerPatches:
    """Patches of one scanner.

    labelled: whether any of its ROIs has labels. images: (P, S, S, 3) uint8 RGB.
    rois, patients: of each patch, the file name of its ROI and its patient (the file name where
    none is known).
    available: ROIs there were to choose from. small: ROIs smaller than a patch, whose one patch is
    white at its edges.
    """

    scanner: str
    labelled: bool
    images: NDArray[np.uint8]
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
    """`per_roi` patches of each ROI, by scanner in the order of the ROIs, scanners without labels
    included.

    Places are a pure function of seed, file name and index, not of labels; those with over half
    tissue come first. An ROI smaller than a patch gives one, white beyond its edges.
    size_px: side in px of `mpp` (um/px), to which an image is resampled where it differs by over 10
    %.
    max_rois: most ROIs of a scanner; where there are more, a choice by seed and file name.
    ROIs whose image is not there are left out, with a warning, and so are scanners of which none is
    left. Raises ImageError for an image that cannot be read or has no mpp.
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
        _of_scanner(scanner, there, size_px, per_roi, max_rois, mpp, seed)
        for scanner, there in by_scanner.items()
    ]


def describe(patches: Sequence[ScannerPatches], *, size_px: int, mpp: float, seed: int) -> str:
    """What `fixed_patches` gave of test and unlabelled ROIs, in words: "32 patches of 2 of the test
    and …"."""
    rois = {each.scanner: len(set(each.rois)) for each in patches}
    counts = _range([len(each.rois) for each in patches])
    said = [
        f"{counts} patches from {_range(list(rois.values()))} of the test and unlabelled ROIs of"
        f" each scanner, {size_px} px at {mpp:g} um/px, places of seed {seed}"
    ]
    for each in patches:
        if rois[each.scanner] < each.available:
            said.append(
                f"of the {each.available} ROIs of {each.scanner} {rois[each.scanner]} were drawn"
            )
    small = sum(each.small for each in patches)
    if small:
        said.append(
            f"{small} ROIs are smaller than a patch and gave one each, white beyond the ROI"
        )
    return "; ".join(said)


def _of_scanner(
    scanner: str,
    there: list[tuple[Roi, Path]],
    size: int,
    count: int,
    max_rois: int,
    mpp: float,
    seed: int,
) -> ScannerPatches:
    lots = sorted(
        range(len(there)), key=lambda each: number_of_file(seed, there[each][0].file_name, "roi")
    )
    kept = [there[each] for each in sorted(lots[:max_rois])]
    cuts, small = [], 0
    for roi, path in kept:
        cut, whole = _patches_of(roi, path, size, count, mpp, seed)
        cuts.append(cut)
        small += not whole
    owners = [roi for (roi, _), cut in zip(kept, cuts, strict=True) for _ in cut]
    return ScannerPatches(
        scanner=scanner,
        labelled=any(roi.split != "unlabelled" for roi, _ in there),
        images=np.stack([patch for cut in cuts for patch in cut]),
        rois=[roi.file_name for roi in owners],
        patients=[roi.patient or roi.file_name for roi in owners],
        available=len(there),
        small=small,
    )


def _patches_of(
    roi: Roi, path: Path, size: int, count: int, mpp: float, seed: int
) -> tuple[list[NDArray[np.uint8]], bool]:
    """Its patches, and whether a patch fits into it."""
    with open_image(path) as image:
        scale = scale_for(roi_mpp(roi, image.mpp), mpp)
        width, height = image.scaled_size(scale)
        if min(width, height) < size:
            return [
                image.read_scaled((width - size) // 2, (height - size) // 2, size, size, scale)
            ], False
        return _most_tissue(image, roi.file_name, size, count, scale, seed), True


def _most_tissue(
    image: SlideImage, name: str, size: int, count: int, scale: float, seed: int
) -> list[NDArray[np.uint8]]:
    """The first `count` candidates with enough tissue; where too few have it, those with the most,
    in their order."""
    width, height = image.scaled_size(scale)
    shares: list[float] = []
    patches: list[NDArray[np.uint8]] = []
    for index in range(_CANDIDATES * count):
        x = number_of_file(seed, name, f"x{index}") * (width - size + 1) >> 64
        y = number_of_file(seed, name, f"y{index}") * (height - size + 1) >> 64
        patches.append(image.read_scaled(x, y, size, size, scale))
        shares.append(min(tissue_share(patches[-1][::4, ::4]), _MIN_TISSUE))
        if shares.count(_MIN_TISSUE) == count:
            break
    best = sorted(range(len(shares)), key=lambda index: -shares[index])[
        :count
    ]  # of equal ones, the first
    return [patches[index] for index in sorted(best)]


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low}" if low == high else f"{low} to {high}"
