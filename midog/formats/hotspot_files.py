"""The hotspot of an image: JSON beside its detections, or one line of CSV.

The challenge's file holds points and nothing else, as its reader takes no other keys.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import MITOTIC_FIGURE
from midog.data.csv_text import spreadsheet_cell
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.registry import DetectedImage
from midog.json_text import plain, to_json
from midog.metrics.hotspot import Hotspot, HotspotSettings, hotspot
from midog.metrics.points import Points, centres_mm
from midog.metrics.windows import Window
from midog.mpp import Mpp, as_mpp
from midog.tissue.window_share import allowed_middles, tissue_share


def hotspot_of(image: DetectedImage) -> tuple[Hotspot, int]:
    """Find the hotspot of the figures at or over the threshold, and return it with their number.

    Raises:
        DetectionsError: Tissue is asked for, and no mask was made, or no place has as much.
    """
    wanted, mpp = image.hotspot or HotspotSettings(), as_mpp(image.mpp)
    assert mpp is not None
    points = _figures_mm(image, mpp)
    size_mm = image.width * mpp.x / 1000, image.height * mpp.y / 1000
    if not wanted.least_tissue:
        return hotspot(points, wanted.area_mm2, wanted.shape, size_mm=size_mm), len(points)
    mask = image.tissue
    if mask is None:
        raise DetectionsError(
            f"{image.file_name}: a hotspot in tissue, and all of the image was looked at",
            "give {tissue}, so that tissue is told",
            {"tissue": "auto"},
        )
    allowed = allowed_middles(mask, Window.of(wanted.area_mm2, wanted.shape), wanted.least_tissue)
    if not allowed.any():
        raise DetectionsError(
            f"{image.file_name}: no hotspot of {wanted.words}", "ask for less of it"
        )
    px_mm = mpp.x / mask.scale[0] / 1000, mpp.y / mask.scale[1] / 1000
    densest = hotspot(
        points,
        wanted.area_mm2,
        wanted.shape,
        size_mm=size_mm,
        allowed=allowed,
        allowed_px_mm=px_mm,
    )
    return densest, len(points)


def write_hotspot_json(path: Path, image: DetectedImage) -> None:
    """Write the hotspot as JSON; places are null where there is no figure.

    Args:
        path: The file to replace; missing folders on the way are made.
        image: The image with its detections.

    Raises:
        DetectionsError: If the file cannot be written; as of `hotspot_of`.
    """
    replace_text(path, to_json(_described(image)), DetectionsError, parents=True)


def write_hotspot_csv(path: Path, image: DetectedImage) -> None:
    """Write the hotspot as a header and a line; see `write_hotspot_json`."""
    row = plain(_described(image))
    for name, value in zip(("x1", "y1", "x2", "y2"), row.pop("box_px"), strict=True):
        row[f"{name}_px"] = value
    row["file_name"] = spreadsheet_cell(image.file_name)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    replace_text(path, text.getvalue(), DetectionsError, parents=True)


def _figures_mm(image: DetectedImage, mpp: Mpp) -> Points:
    """Centres of the figures at or over the threshold, mm."""
    return centres_mm(image.detections.select(_are_figures(image)).boxes, mpp)


def _are_figures(image: DetectedImage) -> NDArray[np.bool_]:
    own = image.detections
    return np.asarray((own.labels == MITOTIC_FIGURE) & (own.scores >= np.float32(image.threshold)))


def _atypical(image: DetectedImage, densest: Hotspot, mpp: Mpp) -> dict[str, int]:
    """How many figures are atypical, and how many of those in the hotspot, if they are told."""
    if image.atypical is None:
        return {}
    are_atypical = image.atypical.are_atypical[_are_figures(image)]
    inside = densest.holds(_figures_mm(image, mpp))
    return {
        "atypical": int(are_atypical.sum()),
        "atypical_count": int((are_atypical & inside).sum()),
    }


def _described(image: DetectedImage) -> dict[str, Any]:
    densest, figures = hotspot_of(image)
    wanted, mpp = image.hotspot or HotspotSettings(), as_mpp(image.mpp)
    assert mpp is not None
    x1, y1, x2, y2 = densest.box_mm
    x, y = 1000 / mpp.x, 1000 / mpp.y
    share = None
    if image.tissue is not None and densest.count:
        share = tissue_share(image.tissue, densest.window, densest.x_mm, densest.y_mm)
    return {
        "file_name": image.file_name,
        "threshold": image.threshold,
        "figures": figures,
        "area_mm2": wanted.area_mm2,
        "shape": wanted.shape,
        "least_tissue": wanted.least_tissue,
        "count": densest.count,
        "per_mm2": densest.per_mm2,
        "inside_mm2": densest.inside_mm2,
        "tissue_share": share,
        "x_px": densest.x_mm * x,
        "y_px": densest.y_mm * y,
        "box_px": [x1 * x, y1 * y, x2 * x, y2 * y],
        **_atypical(image, densest, mpp),
    }
