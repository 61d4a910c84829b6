"""ASAP XML and masks of a small slide, written for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

SIZE = (600, 400)
"""(width, height), px."""

OUTLINES: list[tuple[str, list[tuple[float, float]]]] = [
    ("_0", [(100, 50), (300, 50), (300, 250), (100, 250)]),
    ("_1", [(400.5, 300.5), (500, 350), (450, 390)]),
    ("_2", [(150, 100), (200, 100), (200, 150), (150, 150)]),
]
"""Group and points: a square of 200 px with a hole of 50, and a triangle."""


def write_asap(path: Path, outlines: Sequence[tuple[str, Any]] = OUTLINES, **types: str) -> Path:
    """An XML file as ASAP writes it; types: of annotations by the group's name."""
    lines = ['<?xml version="1.0"?>', "<ASAP_Annotations>", "\t<Annotations>"]
    for number, (group, points) in enumerate(outlines):
        kind = types.get(group, "Polygon")
        lines.append(
            f'\t\t<Annotation Name="Annotation {number}" Type="{kind}" PartOfGroup="{group}"'
            ' Color="#F4FA58">\n\t\t\t<Coordinates>'
        )
        lines += [
            f'\t\t\t\t<Coordinate Order="{order}" X="{x}" Y="{y}" />'
            for order, (x, y) in enumerate(points)
        ]
        lines.append("\t\t\t</Coordinates>\n\t\t</Annotation>")
    lines += ["\t</Annotations>", "\t<AnnotationGroups />", "</ASAP_Annotations>", ""]
    path.write_text("\n".join(lines))
    return path


def drawn_mask(value: int = 1) -> np.ndarray:
    """The same as (height, width) uint8, of two of the three outlines: those along px."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[50:250, 100:300] = value
    mask[100:150, 150:200] = 0
    return mask


def place_colours(size: tuple[int, int] = (2048, 1536)) -> np.ndarray:
    """(height, width, 3) uint8 whose red is x / 8 and whose green is y / 8."""
    y, x = np.mgrid[: size[1], : size[0]]
    return np.stack([x // 8, y // 8, np.full_like(x, 100)], axis=2).astype(np.uint8)


def write_slide(path: Path, pixels: np.ndarray, levels: int = 4, mpp: float = 0.5) -> Path:
    """A tiled pyramid without loss; px of a level are the means of those of level 0."""
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            side = 2**level
            height, width = (length // side * side for length in pixels.shape[:2])
            blocks = pixels[:height, :width].reshape(height // side, side, width // side, side, 3)
            per_cm = 1e4 / mpp / side
            file.write(
                blocks.mean(axis=(1, 3)).round().astype(np.uint8),
                tile=(128, 128),
                photometric="rgb",
                compression="deflate",
                subfiletype=1 if level else 0,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    return path


def write_tumour_slide(folder: Path, stem: str, with_tumour: bool, seed: int = 0) -> Path:
    """slides/STEM.tif of 1024 x 768 px: glass, a square of tissue, in it a dark square of tumour
    with annotations/STEM.xml."""
    rng = np.random.default_rng(seed)
    pixels = np.full((768, 1024, 3), 245, np.uint8)
    pixels[100:700, 100:900] = (230, 150, 200)
    if with_tumour:
        pixels[200:500, 200:600] = (120, 60, 150)
        square = [(200, 200), (600, 200), (600, 500), (200, 500)]
        (folder / "annotations").mkdir(parents=True, exist_ok=True)
        write_asap(folder / "annotations" / f"{stem}.xml", [("_0", square)])
    pixels = (pixels - rng.integers(0, 6, pixels.shape)).astype(np.uint8)
    (folder / "slides").mkdir(parents=True, exist_ok=True)
    return write_slide(folder / "slides" / f"{stem}.tif", pixels, 3)


def write_index(folder: Path) -> Path:
    """An index of four such slides: two train, val and test, 15 places of each class a slide."""
    from midog.tumour.sample import WindowRule
    from midog.tumour.sample_slides import SamplingRule, sample_slides

    parts = ("train", "train", "val", "test")
    slides = [write_tumour_slide(folder, f"t{n}", True, n) for n in range(len(parts))]
    lines = [f"t{n}.tif,p{n},{part}" for n, part in enumerate(parts)]
    split = folder / "split.csv"
    split.write_text("\n".join(["file_name,patient,split", *lines]))
    window = WindowRule(side=32, mpp=1.0, stride=32, centre=32, per_slide=20, min_tumour=0.9)
    rule = SamplingRule(window, folder / "annotations", split=split)
    sample_slides(slides, folder / "index", rule)
    return folder / "index"


def write_mask(path: Path, mask: np.ndarray, levels: int = 3, **options: Any) -> Path:
    """A tiled pyramid of grey, decimated."""
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            part = np.ascontiguousarray(mask[:: 2**level, :: 2**level])
            file.write(
                part,
                tile=(64, 64),
                photometric="minisblack",
                compression="lzw",
                subfiletype=1 if level else 0,
                metadata=None,
                **options,
            )
    return path
