"""Draw phantom slides: lymph nodes with and without metastases, with outlines and masks of them."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import tifffile

from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.draw import held_empty
from midog.data.phantom.scanners import SCANNERS, Scanner
from midog.data.phantom.slide import draw_slide
from midog.data.phantom.slide_plan import SlidePlan, outlines, plan_slide
from midog.data.phantom.textures import draw_textures
from midog.errors import DataError
from midog.files import replacing_folder
from midog.images.pixels import Pixels
from midog.names import real_path
from midog.random_streams import seeded
from midog.tissue.qupath_areas import Area
from midog.tumour.asap_xml import asap_text
from midog.tumour.read import truth_of_areas
from midog.tumour.truth import SlideTruth

logger = logging.getLogger(__name__)

SLIDE_MPP = 0.5
SMALLEST_SLIDE, LARGEST_SLIDE, SLIDE_SIZE = 1024, 16384, 6144
"""Bounds of a slide's width, px, and what it is by default; its height is three quarters of it."""
MOST_SLIDES, FEWEST_SLIDES = 1000, 2

_TILE, _LEAST_LEVEL_PX = 256, 256
_TEXTURE_PX = (512, 1536)  # least and most of what is drawn cell by cell
_PEN = 3  # of three slides, one is marked
_SLIDE = 2  # stream of random numbers, beside those of tumours and ROIs


@dataclass(frozen=True)
class _PlannedSlide:
    """A slide before it is drawn. number: from 1, over all slides, as patients are."""

    number: int
    stem: str
    scanner: Scanner
    split: str
    with_tumour: bool


def draw_slides(
    folder: Path,
    *,
    slides: int = 6,
    width: int = SLIDE_SIZE,
    seed: int = 0,
    on_slide: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw slides/tumor_001.tif …, normal_001.tif …, annotations/STEM.xml, masks/ and split.csv.

    Every second slide has metastases. Slides are tiled pyramids of 0.5 um/px, by turns of the
    scanners Phantom A and B, each of a patient of its own. Annotations are ASAP's, with group _2
    for what is cut out; masks are 255 in tumour, and slides without tumour have neither. Of the
    slides with metastases a fifth (rounded, at least one) is val, a fifth test, and so it is for
    those without; of two one is val, of one none.

    Args:
        folder: The new or empty folder.
        slides: How many, 2 to 1000.
        width: Of a slide, px, 1024 to 16384; its height is three quarters.
        seed: 0 or more; the same seed gives the same bytes of every file.
        on_slide: Called with (drawn so far, of how many) after each slide.

    Returns:
        The folder.

    Raises:
        DataError: A number is out of range, the folder is not empty or cannot be written.
    """
    _check(slides, width, seed)
    plans = _plans(slides)
    place, size = real_path(folder), (width, width * 3 // 4)
    with held_empty(folder, place), replacing_folder(place, DataError) as part:
        for name in ("slides", "annotations", "masks"):
            (part / name).mkdir()
        for done, plan in enumerate(plans, 1):
            _draw(part, plan, size, seed)
            if on_slide is not None:
                on_slide(done, len(plans))
        _write_split(part / "split.csv", plans)
    logger.info("drew %d slides into %s", len(plans), folder)
    return folder


def _check(slides: int, width: int, seed: int) -> None:
    limits = {
        "slides": (slides, FEWEST_SLIDES, MOST_SLIDES),
        "width": (width, SMALLEST_SLIDE, LARGEST_SLIDE),
        "seed": (seed, 0, 2**63 - 1),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise DataError(f"{name} is {value}", f"give {least} to {most}")


def _plans(slides: int) -> list[_PlannedSlide]:
    counts = {True: (slides + 1) // 2, False: slides // 2}
    plans = []
    for number in range(1, slides + 1):
        with_tumour, rank = number % 2 == 1, (number - 1) // 2
        count = counts[with_tumour]
        held = max(1, round(count / 5))
        test, val = held * (count > 2), held * (count > 1)
        later = count - rank  # the last are test, those before them val
        split = "test" if later <= test else "val" if later <= test + val else "train"
        stem = f"{'tumor' if with_tumour else 'normal'}_{rank + 1:03d}"
        plans.append(_PlannedSlide(number, stem, SCANNERS[rank % 2], split, with_tumour))
    return plans


def _draw(folder: Path, plan: _PlannedSlide, size: tuple[int, int], seed: int) -> None:
    """Draw a slide with its truth: a pure function of plan, size and seed."""
    rng = seeded("slide", seed, _SLIDE, plan.number)
    drawn_px = min(max(size[0] // 2, _TEXTURE_PX[0]), _TEXTURE_PX[1])
    textures = draw_textures(rng, draw_tumour(rng), drawn_px, SLIDE_MPP)
    layout = plan_slide(
        rng,
        (size[0] * SLIDE_MPP, size[1] * SLIDE_MPP),
        with_tumour=plan.with_tumour,
        with_pen=plan.number % _PEN == 0,
    )
    pixels = draw_slide(rng, layout, textures, size, SLIDE_MPP, plan.scanner)
    path = folder / "slides" / f"{plan.stem}.tif"
    _write_pyramid(path, partial(_level, pixels), size, plan.scanner.jpeg_quality)
    if plan.with_tumour:
        truth = _write_outlines(folder / "annotations" / f"{plan.stem}.xml", layout, size)
        mask = folder / "masks" / f"{plan.stem}_mask.tif"
        _write_pyramid(mask, partial(_mask_level, truth, size), size, None)


def _write_outlines(path: Path, layout: SlidePlan, size: tuple[int, int]) -> SlideTruth:
    """Write the outlines, and return what they say."""
    rings = [(group, np.round(ring / SLIDE_MPP, 2)) for group, ring in outlines(layout)]
    path.write_text(asap_text(rings), encoding="utf-8")
    areas = [Area((ring,), group == "_2") for group, ring in rings]
    return truth_of_areas(areas, size, str(path))


def _level(pixels: Pixels, level: int) -> Pixels:
    """A level of a slide, each px the mean of those of level 0 that it stands for."""
    for _ in range(level):
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(
            cv2.resize(pixels[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
        )
    return pixels


def _mask_level(truth: SlideTruth, size: tuple[int, int], level: int) -> Pixels:
    """A level of a mask, (height, width) uint8."""
    mask = truth.mask(0, 0, size[0] >> level, size[1] >> level, 2**level)
    return np.where(mask, np.uint8(255), np.uint8(0))


def _write_pyramid(
    path: Path, level_of: Callable[[int], Pixels], size: tuple[int, int], quality: int | None
) -> None:
    """Write tiles of JPEG of a quality, or of grey packed without loss."""
    packed = {"compression": "jpeg", "compressionargs": {"level": quality}, "photometric": "rgb"}
    grey = {"compression": "deflate", "photometric": "minisblack"}
    with tifffile.TiffWriter(path) as file:
        level = 0
        while level == 0 or max(size) >> level >= _LEAST_LEVEL_PX:
            per_cm = 1e4 / (SLIDE_MPP * 2**level)
            file.write(
                level_of(level),
                tile=(_TILE, _TILE),
                subfiletype=1 if level else 0,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
                software=False,
                **(packed if quality else grey),
            )
            level += 1


def _write_split(path: Path, plans: list[_PlannedSlide]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file_name", "scanner", "patient", "split", "mpp"])
        for plan in plans:
            patient = f"patient{plan.number:03d}"
            rows.writerow([f"{plan.stem}.tif", plan.scanner.name, patient, plan.split, SLIDE_MPP])
