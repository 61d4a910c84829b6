"""ROIs to measure on, as large as the field's: a phantom, repeated, in three kinds of TIFF."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from midog.boxes import Boxes
from midog.data.folder import read_rois
from midog.data.phantom.draw import MPP, draw_phantom
from midog.data.roi import Roi
from midog.images.image import open_image

_DRAWN_PX = 512
KINDS: dict[str, dict[str, Any]] = {
    "jpeg": {"tile": (256, 256), "compression": "jpeg", "compressionargs": {"level": 85}},
    "tiles": {"tile": (256, 256)},
    "strips": {"rowsperstrip": 64},
}
"""Files that ROIs come in: JPEG tiles, plain tiles, plain strips."""


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A temporary folder for drawn and decoded files; MIDOG_CACHE points into it until the end."""
    before = os.environ.get("MIDOG_CACHE")
    with tempfile.TemporaryDirectory(prefix="midog-bench-") as name:
        os.environ["MIDOG_CACHE"] = str(Path(name, "cache"))
        try:
            yield Path(name)
        finally:
            if before is None:
                del os.environ["MIDOG_CACHE"]
            else:
                os.environ["MIDOG_CACHE"] = before


def draw_rois(folder: Path, width: int, height: int) -> list[Roi]:
    """Draw one ROI of each of KINDS, "jpeg.tiff" …, with some three figures per 512 x 512 px."""
    drawn = draw_phantom(folder / "drawn", rois_per_scanner=1, size=_DRAWN_PX)
    roi = next(roi for roi in read_rois(drawn) if roi.split == "train")
    assert roi.path is not None
    with open_image(roi.path) as image:
        pixels, boxes = lay_out(image.read(0, 0, _DRAWN_PX, _DRAWN_PX), roi.boxes, width, height)
    rois = []
    for kind, layout in KINDS.items():
        path = folder / f"{kind}.tiff"
        write_tiff(path, pixels, layout)
        rois.append(
            Roi(
                path.name,
                width,
                height,
                boxes,
                path,
                mpp=MPP,
                scanner=roi.scanner,
                patient=kind,
                split="train",
            )
        )
    return rois


def lay_out(
    pixels: NDArray[np.uint8], boxes: Boxes, width: int, height: int
) -> tuple[NDArray[np.uint8], Boxes]:
    """Repeat an image and its figures up to width x height px, without figures whose centre is
    outside."""
    down, across = -(-height // pixels.shape[0]), -(-width // pixels.shape[1])
    large = np.tile(pixels, (down, across, 1))[:height, :width]
    shifts = [
        (x * pixels.shape[1], y * pixels.shape[0]) for y in range(down) for x in range(across)
    ]
    every = np.concatenate([boxes.xyxy + np.array([x, y, x, y], np.float32) for x, y in shifts])
    inside = ((every[:, :2] + every[:, 2:]) / 2 < (width, height)).all(axis=1)
    return large, Boxes(every[inside], np.tile(boxes.labels, len(shifts))[inside])


def write_tiff(path: Path, pixels: NDArray[np.uint8], layout: dict[str, Any]) -> None:
    """Write a TIFF of pixels (H, W, 3) uint8 with 0.25 um/px; layout: one of KINDS."""
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        resolution=(1e4 / MPP, 1e4 / MPP),
        resolutionunit="CENTIMETER",
        metadata=None,
        **layout,
    )
