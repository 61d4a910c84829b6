"""Draw the phantom: synthetic H&E of four scanners, annotated and split, laid out as MIDOG 2021."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from midog.boxes import FIGURE_SIDE_PX, IMPOSTER, MITOTIC_FIGURE
from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.scanners import SCANNERS, Scanner, scan
from midog.data.phantom.tissue import draw_tissue
from midog.errors import DataError
from midog.files import cannot_write, make_folder, replacing_folder
from midog.locks import locked_or_refused
from midog.names import real_path
from midog.random_streams import seeded

logger = logging.getLogger(__name__)

MPP = 0.25
SMALLEST_SIZE, LARGEST_SIZE = 256, 8192
"""Side of an ROI, px; the largest takes some 5 GB while it is drawn."""
MOST_ROIS = 1000
TILE = 256
_TUMOUR, _ROI = 0, 1
"""Streams of random numbers: of a patient's tumour, and of an ROI."""


@dataclass(frozen=True)
class _PlannedRoi:
    """One ROI before it is drawn. index: from 1, over all ROIs; patient: from 1, over all
    patients."""

    index: int
    scanner: Scanner
    patient: int
    split: str
    with_figures: bool

    @property
    def file_name(self) -> str:
        return f"{self.index:03d}.tiff"


def draw_phantom(
    folder: Path,
    *,
    rois_per_scanner: int = 10,
    size: int = 1024,
    seed: int = 0,
    on_roi: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a data folder: images/001.tiff …, annotations.json and split.csv.

    A patient has one or two ROIs, all of one scanner and one split. The third ROI of a scanner's
    train or test has no mitotic figure. Boxes are x1 y1 x2 y2, 50 x 50 px. The folder appears when
    all is drawn.

    Args:
        folder: the new or empty data folder.
        rois_per_scanner: ROIs of each scanner that is trained on, Phantom A and B. A fifth of them
            (rounded, at least one) is val, a fifth test, the rest train; of two, one is train and
            one test; a single one is train. Phantom C, which training does not see, has as many
            test ROIs as A and B together (at least one); Phantom D has a fifth as many (at least
            two), unlabelled.
        size: side of an ROI in px of 0.25 um, 256 to 8192.
        seed: 0 or more; the same seed gives the same bytes of every file.
        on_roi: called with (drawn so far, of how many) after each ROI.

    Returns:
        The folder.

    Raises:
        DataError: for a number out of range, a folder that is not empty, or one that cannot be
            written.
    """
    _check(rois_per_scanner, size, seed)
    plans = _plan(rois_per_scanner)
    place = real_path(folder)
    with held_empty(folder, place), replacing_folder(place, DataError) as part:
        (part / "images").mkdir()
        _draw_all(part, plans, size, seed, on_roi)
    logger.info("drew %d ROIs into %s", len(plans), folder)
    return folder


@contextmanager
def held_empty(folder: Path, place: Path) -> Iterator[None]:
    """Make a folder and hold it for this process, if it is empty; without a drawing it goes."""
    if place.exists() and not place.is_dir():
        raise DataError(f"{folder} exists and is no folder", "name a new folder")
    made = not place.exists()
    with ExitStack() as stack:
        try:
            make_folder(place)
            stack.enter_context(locked_or_refused(place, DataError))
            is_empty = not any(place.iterdir())
        except OSError as error:
            raise cannot_write(folder, error, DataError) from None
        if not is_empty:
            raise DataError(
                f"{folder} exists and is not empty", "name a new folder, or remove this one first"
            )
        try:
            yield
        finally:
            if made:
                with suppress(OSError):  # it is drawn
                    place.rmdir()


def _check(rois_per_scanner: int, size: int, seed: int) -> None:
    limits = {
        "rois_per_scanner": (rois_per_scanner, 1, MOST_ROIS),
        "size": (size, SMALLEST_SIZE, LARGEST_SIZE),
        "seed": (seed, 0, 2**63 - 1),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise DataError(f"{name} is {value}", f"give {least} to {most}")


def _plan(rois_per_scanner: int) -> list[_PlannedRoi]:
    """Scanner, patient and split of every ROI, scanner by scanner."""
    held_out = max(1, round(rois_per_scanner / 5))
    test = held_out if rois_per_scanner > 1 else 0
    val = held_out if rois_per_scanner > 2 else 0
    trained = {"train": rois_per_scanner - val - test, "val": val, "test": test}
    shares = (trained, trained, {"test": max(1, 2 * test)}, {"unlabelled": max(2, held_out)})
    plans: list[_PlannedRoi] = []
    patient = 0
    for scanner, share in zip(SCANNERS, shares, strict=True):
        for split, count in share.items():
            for rank in range(count):
                patient += rank % 3 != 2  # one ROI of the first patient, two of the next, and so on
                empty = rank == 2 and split in ("train", "test")
                plans.append(_PlannedRoi(len(plans) + 1, scanner, patient, split, not empty))
    return plans


def _draw_all(
    folder: Path,
    plans: list[_PlannedRoi],
    size: int,
    seed: int,
    on_roi: Callable[[int, int], None] | None,
) -> None:
    annotations: list[dict[str, Any]] = []
    for plan in plans:
        image, points, labels = _draw_roi(plan, size, seed)
        _write_tiff(folder / "images" / plan.file_name, image, plan.scanner.jpeg_quality)
        if plan.split != "unlabelled":
            annotations += _annotations(plan.index, points, labels, first_id=len(annotations) + 1)
        if on_roi is not None:
            on_roi(plan.index, len(plans))
    _write_json(folder / "annotations.json", plans, annotations, size, seed)
    _write_split(folder / "split.csv", plans)


def _draw_roi(
    plan: _PlannedRoi, size: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64]]:
    """Image, centres and labels: a pure function of plan, size and seed."""
    tumour = draw_tumour(seeded("tumour", seed, _TUMOUR, plan.patient))
    rng = seeded("roi", seed, _ROI, plan.index)
    tissue = draw_tissue(rng, tumour, size, plan.with_figures)
    return scan(tissue.stain, plan.scanner, rng), tissue.points, tissue.labels


def _write_tiff(path: Path, image: NDArray[np.uint8], jpeg_quality: int) -> None:
    """Tiled, JPEG as scanners write it, with the resolution tags that give 0.25 um/px."""
    tifffile.imwrite(
        path,
        image,
        # of what is handed over; the file holds YCbCr with halved colour, as scanners' files do
        photometric="rgb",
        tile=(TILE, TILE),
        compression="jpeg",
        compressionargs={"level": jpeg_quality},
        resolution=(1e4 / MPP, 1e4 / MPP),
        resolutionunit="CENTIMETER",
        metadata=None,
        software=False,
    )


def _annotations(
    image_id: int, points: NDArray[np.float64], labels: NDArray[np.int64], first_id: int
) -> list[dict[str, Any]]:
    half = round(FIGURE_SIDE_PX / 2)
    records = []
    for offset, ((x, y), label) in enumerate(
        zip(points.astype(int).tolist(), labels.tolist(), strict=True)
    ):
        box = [x - half, y - half, x + half, y + half]
        records.append(
            {"bbox": box, "category_id": label, "image_id": image_id, "id": first_id + offset}
        )
    return records


def _write_json(
    path: Path, plans: list[_PlannedRoi], annotations: list[dict[str, Any]], size: int, seed: int
) -> None:
    images = [
        {"id": p.index, "file_name": p.file_name, "width": size, "height": size} for p in plans
    ]
    content = {
        "info": {"description": f"midog phantom, seed {seed}: drawn, not tissue"},
        "licenses": [],
        "images": images,
        "categories": [
            {"id": MITOTIC_FIGURE, "name": "mitotic figure"},
            {"id": IMPOSTER, "name": "not mitotic figure"},
        ],
        "annotations": annotations,
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_split(path: Path, plans: list[_PlannedRoi]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file_name", "scanner", "patient", "split", "mpp"])
        for plan in plans:
            rows.writerow(
                [plan.file_name, plan.scanner.name, f"patient{plan.patient:03d}", plan.split, MPP]
            )
