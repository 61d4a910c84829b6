"""The annotated areas of slides, cut out as ROIs: a data folder of their own."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, centers_of
from midog.data.csv_text import spreadsheet_cell
from midog.data.mpp import roi_mpp
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, compact_names, write_split
from midog.errors import DataError
from midog.files import make_folder, replace_text, replacing_folder
from midog.images.image import SlideImage, open_image
from midog.mpp import Mpp

_BAND_PX = 512
_MOST_PX = 4_000_000_000
_LABELS = {MITOTIC_FIGURE: "mitotic figure", IMPOSTER: "imposter"}
_COLUMNS = ("file_name", "x1", "y1", "x2", "y2", "label", "ignored", "patient", "scanner")


@dataclass(frozen=True)
class Area:
    """A rectangle of a slide. roi: the slide. box: x1, y1, x2, y2, whole px of level 0 within it.
    file_name: of its image in the new folder."""

    roi: Roi
    box: tuple[int, int, int, int]
    file_name: str

    def contains(self, centre: Sequence[float]) -> bool:
        """Whether a point of the slide, x y in px, lies in it."""
        x1, y1, x2, y2 = self.box
        return x1 <= centre[0] < x2 and y1 <= centre[1] < y2


@dataclass(frozen=True)
class Cut:
    """What was cut. areas: in order. outside: figures of these slides that lie in none of theirs.
    left_out: slides without an area."""

    areas: tuple[Area, ...]
    outside: int
    left_out: tuple[str, ...]


def cut_areas(
    rois: Sequence[Roi], folder: Path, on_area: Callable[[int, int], None] | None = None
) -> Cut:
    """Make a data folder of the areas of slides: an uncompressed TIFF of each, read and written
    band by band, annotations.csv, and split.csv where the slides have places in one.

    Areas of a slide are of one patient: the slide's, or the slide itself. A figure is in each area
    that its centre is in.

    Args:
        rois: slides with paths and areas; those without areas are left out.
        folder: to make; it must not exist, or be empty.
        on_area: called with the number of areas that are done, and of all.

    Raises:
        DataError: there is no area, one is outside its slide or too large, an image is missing, or
            the folder holds files.
        ImageError: an image cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists and is not empty", "name a new folder")
    slides = [roi for roi in rois if len(roi.areas)]
    if not slides:
        fix = 'state their class with {data.classes}, such as "ROI=area"'
        raise DataError("no slide has an area", fix, {"data.classes": None})
    areas: list[Area] = []
    with replacing_folder(folder, DataError) as part:
        make_folder(part / "images")
        total = sum(len(roi.areas) for roi in slides)
        for roi in slides:
            with _opened(roi) as image:
                for area in _areas_of(roi, image):
                    _write_image(part / "images" / area.file_name, image, area, _mpp(roi, image))
                    areas.append(area)
                    if on_area is not None:
                        on_area(len(areas), total)
        names = [area.file_name for area in areas]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"several areas would be named {twice[0]}", "rename the slides")
        replace_text(part / "annotations.csv", _table(areas), DataError)
        rows = [
            SplitRow(area.file_name, area.roi.scanner, area.roi.patient_or_name, area.roi.split)
            for area in areas
            if area.roi.split
        ]
        if rows:
            write_split(Split("split.csv", tuple(rows)), part / "split.csv")
    outside = sum(_outside(roi, areas) for roi in slides)
    left_out = tuple(roi.file_name for roi in rois if not len(roi.areas))
    return Cut(tuple(areas), outside, left_out)


def _opened(roi: Roi) -> SlideImage:
    if roi.path is None:
        fix = "put it into the data folder's images/"
        raise DataError(f"{roi.file_name}: its image is missing", fix)
    return open_image(roi.path)


def _mpp(roi: Roi, image: SlideImage) -> Mpp:
    return roi_mpp(roi, image.stated_mpp)


def _areas_of(roi: Roi, image: SlideImage) -> list[Area]:
    """The areas of a slide, outwards to whole px, cut to it."""
    stem = "_".join(PurePosixPath(roi.file_name).with_suffix("").parts).strip("/.") or "slide"
    areas = []
    for number, (x1, y1, x2, y2) in enumerate(roi.areas.tolist(), 1):
        left, top = max(math.floor(x1), 0), max(math.floor(y1), 0)
        right, bottom = min(math.ceil(x2), image.width), min(math.ceil(y2), image.height)
        where = f"{roi.file_name}: area {number}, {x1:g}, {y1:g} to {x2:g}, {y2:g},"
        if left >= right or top >= bottom:
            size = f"{image.width} x {image.height} px"
            raise DataError(f"{where} is outside the slide of {size}", "correct it or its slide")
        if (right - left) * (bottom - top) > _MOST_PX:
            raise DataError(f"{where} has over {_MOST_PX:,} px", "draw several smaller ones")
        areas.append(Area(roi, (left, top, right, bottom), f"{stem}_{number}.tiff"))
    return areas


def _write_image(path: Path, image: SlideImage, area: Area, mpp: Mpp) -> None:
    """Write the px of an area, a band of rows in memory at once."""
    import tifffile

    x1, y1, x2, y2 = area.box
    width, height = x2 - x1, y2 - y1
    pixels = tifffile.memmap(
        path,
        shape=(height, width, 3),
        dtype=np.uint8,
        photometric="rgb",
        bigtiff=3 * width * height > 2**32 - 2**20,
        resolution=(10_000 / mpp.x, 10_000 / mpp.y),
        resolutionunit="CENTIMETER",
        metadata=None,
    )
    for top in range(0, height, _BAND_PX):
        rows = min(_BAND_PX, height - top)
        pixels[top : top + rows] = image.read(x1, y1 + top, width, rows)
    pixels.flush()


def _table(areas: Sequence[Area]) -> str:
    """annotations.csv: boxes in px of their area; a line of its name alone for one without any."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for area in areas:
        roi, (x1, y1, _, _) = area.roi, area.box
        name = spreadsheet_cell(area.file_name)
        facts = [spreadsheet_cell(roi.patient_or_name), spreadsheet_cell(roi.scanner)]
        labels = [_LABELS[label] for label in roi.boxes.labels.tolist()]
        marked = [(label, 0) for label in labels] + [("imposter", 1)] * len(roi.ignored)
        boxes = np.concatenate([roi.boxes.xyxy, roi.ignored])
        inside = [
            (box, mark)
            for box, centre, mark in zip(
                boxes.astype(np.float64), centers_of(boxes).tolist(), marked, strict=True
            )
            if area.contains(centre)
        ]
        for box, mark in inside:
            writer.writerow([name, *(box - (x1, y1, x1, y1)).tolist(), *mark, *facts])
        if not inside:
            writer.writerow([name, *[""] * 6, *facts])
    return text.getvalue()


def _outside(roi: Roi, areas: Sequence[Area]) -> int:
    own = [area for area in areas if area.roi is roi]
    centres = centers_of(roi.boxes.xyxy).tolist()
    return sum(not any(area.contains(centre) for area in own) for centre in centres)


def said(cut: Cut, folder: Path) -> list[str]:
    """What a user is told of a cut, one line each."""
    slides = len({area.roi.file_name for area in cut.areas})
    lines = [f"{len(cut.areas)} areas of {slides} slides cut into {folder}/"]
    if cut.outside:
        lines.append(f"{cut.outside} figures lie in no area and are left out")
    if cut.left_out:
        names = compact_names(cut.left_out)
        lines.append(f"{len(cut.left_out)} slides have no area and are left out: {names}")
    return lines
