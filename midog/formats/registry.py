"""FORMATS of detections: one entry describes a format to all that write, read or list it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from midog.errors import DetectionsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from midog.boxes import Boxes, Detections
    from midog.formats.atypical import AtypicalScores
    from midog.formats.shared import Detected
    from midog.metrics.hotspot import HotspotSettings
    from midog.mpp import MppLike
    from midog.tissue.mask import TissueMask


@dataclass(frozen=True, eq=False)
class DetectedImage:
    """An image with its detections, and all else that a format may write.

    Attributes:
        file_name: Of the image.
        width: Of the image, level-0 px.
        height: Of the image, level-0 px.
        mpp: um/px of level 0, or those along x and y.
        threshold: In [0, 1]; a mitotic figure of that score or more counts.
        detections: Boxes in level-0 px.
        truth: The annotated boxes in level-0 px, if the image is labelled.
        rows: Reads the image resampled by a factor, a band (h, w, 3) uint8 RGB at a time with the
            number of its first row, from the top down; the only thing here that takes time.
        origin: (x, y), level-0 px: the corner of a slide's bounds, from which viewers count that
            cut it to them, as QuPath does.
        hotspot: Window of the hotspot; None: 2 mm2, 4:3.
        tissue: The mask by which tiles were left out; None: none was.
        atypical: Which figures are atypical; None: they are not told apart.
    """

    file_name: str
    width: int
    height: int
    mpp: MppLike
    threshold: float
    detections: Detections
    truth: Boxes | None
    rows: Callable[[float], Iterator[tuple[int, NDArray[np.uint8]]]]
    origin: tuple[int, int] = (0, 0)
    hotspot: HotspotSettings | None = None
    tissue: TissueMask | None = None
    atypical: AtypicalScores | None = None


@dataclass(frozen=True)
class Format:
    """A format of detections, one file per image.

    Attributes:
        words: What it is, for the help; starts with a noun.
        ending: Of its files, unlike that of any other format: 001.tiff gives 001 + ending.
        write: Writes the file of an image, whole or not at all; makes missing folders on the way.
            Raises DetectionsError if it cannot be written.
        read: Reads the points of a file to score them, if the format can be scored. Raises
            DetectionsError for a file that is not of the format.
        remark: What is worth saying before the work of an image of that width and height, level-0
            px; "" if nothing is.
    """

    words: str
    ending: str
    write: Callable[[Path, DetectedImage], None]
    read: Callable[[Path], Detected] | None = None
    remark: Callable[[int, int], str] | None = None


def _write_challenge(path: Path, image: DetectedImage) -> None:
    from midog.formats.challenge import write_challenge

    write_challenge(path, image.detections, mpp=image.mpp, threshold=image.threshold)


def _read_challenge(path: Path) -> Detected:
    from midog.formats.challenge import read_challenge

    return read_challenge(path)


def _write_csv(path: Path, image: DetectedImage) -> None:
    from midog.formats.csv_table import write_csv

    write_csv(path, image.detections, file_name=image.file_name, atypical=image.atypical)


def _write_coco(path: Path, image: DetectedImage) -> None:
    from midog.formats.coco import write_coco

    size = {"width": image.width, "height": image.height}
    write_coco(path, image.detections, file_name=image.file_name, atypical=image.atypical, **size)


def _write_overlay(path: Path, image: DetectedImage) -> None:
    from midog.formats.overlay import write_overlay

    write_overlay(
        path,
        (image.width, image.height),
        image.rows,
        image.detections,
        mpp=image.mpp,
        threshold=image.threshold,
        truth=image.truth,
    )


def _write_geojson(path: Path, image: DetectedImage) -> None:
    from midog.formats.geojson import write_geojson

    write_geojson(
        path,
        [image.detections],
        threshold=image.threshold,
        origin=image.origin,
        atypical=image.atypical,
    )


def _read_geojson(path: Path) -> Detected:
    from midog.formats.geojson_points import read_geojson_points

    return read_geojson_points(path)


def _read_packed_geojson(path: Path) -> Detected:
    """The same under another name, as a packed file beside the other is a copy of it."""
    return _read_geojson(path)


def _write_hotspot(path: Path, image: DetectedImage) -> None:
    from midog.formats.hotspot_files import write_hotspot_json

    write_hotspot_json(path, image)


def _write_hotspot_row(path: Path, image: DetectedImage) -> None:
    from midog.formats.hotspot_files import write_hotspot_csv

    write_hotspot_csv(path, image)


def _write_density(path: Path, image: DetectedImage) -> None:
    from midog.formats.density import write_density

    write_density(path, image)


def _overlay_remark(width: int, height: int) -> str:
    from midog.formats.overlay import reduction

    return reduction(width, height)


FORMATS: dict[str, Format] = {
    "challenge": Format(
        "the MIDOG challenge's JSON of points, which midog evaluate reads",
        ".json",
        _write_challenge,
        _read_challenge,
    ),
    "csv": Format("a table of boxes, both classes", ".csv", _write_csv),
    "coco": Format("COCO JSON of one image, both classes", ".coco.json", _write_coco),
    "overlay": Format(
        "a JPEG of the image with frames around the figures",
        ".overlay.jpg",
        _write_overlay,
        remark=_overlay_remark,
    ),
    "geojson": Format(
        "objects that QuPath opens by drag and drop, which midog evaluate reads",
        ".geojson",
        _write_geojson,
        _read_geojson,
    ),
    "geojson.gz": Format(
        "the same, compressed", ".geojson.gz", _write_geojson, _read_packed_geojson
    ),
    "hotspot": Format(
        "JSON of the densest place: where it is, its count, figures per mm2",
        ".hotspot.json",
        _write_hotspot,
    ),
    "hotspot.csv": Format("the same as one line of CSV", ".hotspot.csv", _write_hotspot_row),
    "density": Format(
        "a PNG of the image with figures per mm2 and the hotspot", ".density.png", _write_density
    ),
}
"""The formats by name, the one to be scored first. A further one is a file and an entry here."""


def require_formats(names: Sequence[str]) -> None:
    """Check the names of formats.

    Raises:
        DetectionsError: If there is none, or one is not in FORMATS.
    """
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise DetectionsError(
            f"unknown format {', '.join(unknown) or '(none)'}", f"choose from {', '.join(FORMATS)}"
        )


def readers() -> list[tuple[str, Callable[[Path], Detected]]]:
    """Return the ending and the reader of each format that can be scored, the preferred first."""
    return [(entry.ending, entry.read) for entry in FORMATS.values() if entry.read is not None]


def can_be_scored(path: Path) -> bool:
    """Whether a file is in a format that can be scored, by the longest ending that fits its name.

    001.coco.json is COCO, which cannot, though .json is the ending of challenge.
    """
    fitting = [entry for entry in FORMATS.values() if path.name.lower().endswith(entry.ending)]
    longest = max(fitting, key=lambda entry: len(entry.ending), default=None)
    return longest is not None and longest.read is not None
