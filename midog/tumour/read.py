"""The truth of a slide, read: of ASAP's XML, or of a mask TIFF."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from midog.errors import DataError
from midog.images.image import SlideImage, open_image
from midog.images.pixels import Pixels
from midog.tissue.qupath_areas import Area
from midog.tissue.rings import fill_area
from midog.tissue.rules import Mask
from midog.tumour.asap_xml import GROUPS, Meaning, read_asap
from midog.tumour.truth import SlideTruth, no_tumour

logger = logging.getLogger(__name__)

XML_SUFFIX = ".xml"
MASK_SUFFIXES = (".tif", ".tiff", ".png")
ENDINGS = (XML_SUFFIX, *(f"_mask{suffix}" for suffix in MASK_SUFFIXES))
"""Of a file of truth in a folder, after the slide's stem."""

_MOST_AT_ONCE = 1 << 26  # px


def truth_in(folder: Path, slide: Path) -> Path | None:
    """Return the file of a slide's truth in a folder: STEM.xml, STEM_mask.tif or STEM_mask.png.

    Args:
        folder: Of the files.
        slide: The slide's file.

    Returns:
        The file, None where there is none.

    Raises:
        DataError: There are several.
    """
    files = [folder / f"{slide.stem}{ending}" for ending in ENDINGS]
    files = [file for file in files if file.is_file()]
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise DataError(f"{folder} has {names} for one slide", "leave one of them there")
    return files[0] if files else None


def read_truth(
    path: Path,
    size: tuple[int, int],
    *,
    groups: Mapping[str, Meaning] = GROUPS,
    mask_value: int | None = None,
) -> SlideTruth:
    """Read the truth of a slide.

    Args:
        path: ASAP's XML, or a grey TIFF or PNG of the size of one of the slide's levels (half, a
            third, ... of level 0).
        size: (width, height) of the slide, level-0 px.
        groups: What groups of ASAP's annotations mean.
        mask_value: The grey value that is tumour in a mask; None: all above 0, where a mask holds
            one such value.

    Returns:
        The truth. That of a mask reads from the file whenever it is asked.

    Raises:
        DataError: The file cannot be read, or its outlines lie outside the slide.
        ImageError: A mask cannot be read.
    """
    if path.suffix.lower() in (XML_SUFFIX, ".gz"):
        return truth_of_areas(read_asap(path, groups), size, str(path))
    return _of_mask(path, size, mask_value)


@dataclass(frozen=True)
class TruthRule:
    """How files of truth are read.

    groups: what groups of ASAP's annotations mean. mask_value: the grey value that is tumour in
    masks; None: the only one above 0.
    """

    groups: Mapping[str, Meaning] = field(default_factory=lambda: dict(GROUPS))
    mask_value: int | None = None

    def read(self, path: Path | None, size: tuple[int, int]) -> SlideTruth:
        """Read a file, errors as of `read_truth`; its source names what is not the default.

        Args:
            path: The file; None: the slide has no tumour.
            size: As of `read_truth`.
        """
        if path is None:
            return no_tumour(size)
        truth = read_truth(path, size, groups=self.groups, mask_value=self.mask_value)
        words = [f"{name}={meaning}" for name, meaning in sorted(self.groups.items())]
        words = words if dict(self.groups) != GROUPS else []
        words += [] if self.mask_value is None else [f"grey value {self.mask_value}"]
        return replace(truth, source=", ".join([truth.source, *words]))


def truth_of_areas(areas: Sequence[Area], size: tuple[int, int], source: str) -> SlideTruth:
    """Return the truth of outlines: the union of areas, less the union of those that are cut.

    Args:
        areas: In level-0 px.
        size: (width, height) of the slide, level-0 px.
        source: Where they are from.

    Raises:
        DataError: An outline lies wholly outside the slide.
    """
    boxes = [np.concatenate(area.rings) for area in areas]
    bounds = [(points.min(axis=0), points.max(axis=0)) for points in boxes]
    outside = [bool((high <= 0).any() or (low >= size).any()) for low, high in bounds]
    if any(outside):
        raise DataError(
            f"{source}: {sum(outside)} of {len(areas)} outlines lie outside the slide of"
            f" {size[0]} x {size[1]} px",
            "give the annotations of this slide, in px of level 0",
        )
    ordered = sorted(areas, key=lambda area: area.is_cut)
    has_tumour = any(not area.is_cut for area in areas)
    return SlideTruth(size, source, has_tumour, partial(_fill, ordered))


def _fill(
    areas: Sequence[Area], x: int, y: int, width: int, height: int, downsample: float
) -> Mask:
    """Which px of a region are in the areas; those that are cut come last."""
    mask = np.zeros((height, width), bool)
    for area in areas:
        rings = [ring / downsample - (x, y) for ring in area.rings]
        points = np.concatenate(rings)
        left, top = np.maximum(np.floor(points.min(axis=0)), 0).astype(np.int64)
        right, bottom = np.minimum(np.ceil(points.max(axis=0)), (width, height)).astype(np.int64)
        if left < right and top < bottom:
            part = mask[top:bottom, left:right]
            fill_area(part, [ring - (left, top) for ring in rings], not area.is_cut)
    return mask


def _of_mask(path: Path, size: tuple[int, int], value: int | None) -> SlideTruth:
    image = open_image(path)
    factor = _factor(image, size)
    above = _values(image)
    if value is None and len(above) > 1:
        raise DataError(
            f"{path} holds the values {', '.join(map(str, above))} beside 0",
            "state which of them is tumour with {mask_value}",
            {"mask_value": None},
        )
    tumour = value or (above[0] if above else None)
    logger.info("%s: tumour is the value %s", path, tumour or "above 0, of which it shows none")
    has_tumour = tumour in above
    read = partial(_read_mask, image, factor, tumour, value is None)
    return SlideTruth(size, f"{path}, value {tumour}", has_tumour, read, image.close)


def _values(image: SlideImage) -> list[int]:
    """The values above 0 of the finest level that can be read at once."""
    small = [n for n, level in enumerate(image.levels) if math.prod(level.size) <= _MOST_AT_ONCE]
    if not small:
        width, height = image.levels[-1].size
        raise DataError(
            f"{image.path} is {width} x {height} px without coarser levels", "write it as a pyramid"
        )
    pixels = image.read(0, 0, *image.levels[small[0]].size, small[0])
    return [int(one) for one in np.unique(_grey(image.path, pixels)) if one]


def _factor(image: SlideImage, size: tuple[int, int]) -> int:
    """Level-0 px of the slide for a px of the mask."""
    factor = max(1, round(size[0] / image.width))
    fits = all(
        side // factor <= own <= -(-side // factor)
        for side, own in zip(size, (image.width, image.height), strict=True)
    )
    if not fits:
        raise DataError(
            f"{image.path} is {image.width} x {image.height} px, its slide {size[0]} x {size[1]}",
            "give the mask of this slide, of its size or that of one of its levels",
        )
    return factor


def _read_mask(
    image: SlideImage,
    factor: int,
    tumour: int | None,
    is_only: bool,
    x: int,
    y: int,
    width: int,
    height: int,
    downsample: float,
) -> Mask:
    """The px of a mask nearest to the middles of px of a region; `is_only`: that it holds no other
    value than `tumour` beside 0 is to be held."""
    number = image.level_for(min(1.0, factor / downsample))
    level = image.levels[number]
    columns, rows = (
        np.minimum(((np.arange(length) + start + 0.5) * downsample / step).astype(np.int64), end)
        for start, length, step, end in (
            (x, width, factor * image.width / level.size[0], level.size[0] - 1),
            (y, height, factor * image.height / level.size[1], level.size[1] - 1),
        )
    )
    left, top = int(columns[0]), int(rows[0])
    read = image.read(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1, number)
    grey = _grey(image.path, read)
    if is_only and not np.isin(grey, [0, tumour or 0]).all():
        other = sorted({int(one) for one in np.unique(grey)} - {0, tumour})
        raise DataError(
            f"{image.path} holds the value {other[0]} beside 0"
            + (f" and {tumour}" if tumour else ", which its coarse levels do not show"),
            "state which value is tumour with {mask_value}",
            {"mask_value": None},
        )
    return np.asarray((grey == tumour)[rows - top][:, columns - left])


def _grey(path: Path, pixels: Pixels) -> Pixels:
    """The values of a grey picture, (height, width)."""
    if (pixels != pixels[..., :1]).any():
        raise DataError(f"{path} has colours, and a mask is grey", "write it as 8-bit grey")
    return pixels[..., 0]
