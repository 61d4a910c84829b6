"""A batch of images: find them, skip what is done, detect, write every format, go on after a bad one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from midog.boxes import Boxes, Detections
from midog.data.folder import read_rois, require_images, select_rois
from midog.data.slides import decode, open_image
from midog.data.splits import read_split
from midog.errors import DetectionsError, DeviceError, ImageError, MidogError
from midog.inference.detect import Detector
from midog.inference.export import FORMATS, write_challenge, write_coco, write_csv, write_overlay

logger = logging.getLogger(__name__)

_SLIDES = (".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide", ".dcm")
IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", *_SLIDES})
SETTINGS_NAME = ".midog-infer.json"
"""File in the output folder that says with which model and settings its detections were made."""


@dataclass(frozen=True)
class Job:
    """One image to detect in. mpp overrules the file's own; truth, where it is known, is drawn into overlays."""

    path: Path
    mpp: float | None = None
    truth: Boxes | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Outcome:
    """What became of a batch. figures: by image name, those at or over the threshold. failed: name and error line."""

    figures: dict[str, int]
    skipped: list[str]
    failed: dict[str, str]


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Image files among paths: files as they are, folders by the suffix of what is in them, sorted, each once.

    A data folder stands for its images/. Raises ImageError for a path that is not there, a folder without images, and
    two images of one stem, whose detections would be one file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            folder = path / "images" if (path / "images").is_dir() else path
            inside = sorted(each for each in folder.iterdir() if is_image(each))
            if not inside:
                raise ImageError(f"no image in {folder}/", f"known endings are {', '.join(sorted(IMAGE_SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise ImageError(f"{path} is not there", "give an image file or a folder of images")
    found = list(dict.fromkeys(found))
    stems: dict[str, Path] = {}
    for image in found:
        if stems.setdefault(image.stem, image) != image:
            raise ImageError(
                f"{stems[image.stem]} and {image} would both be written as {image.stem}", "infer them into two folders"
            )
    return found


def find_jobs(
    paths: Sequence[Path], *, subset: str | None = None, split: str | None = None, mpp: float | None = None
) -> list[Job]:
    """Jobs for images, folders and data folders.

    mpp: um/px of all of them; None: each image's own, for an ROI of a data folder the one in its split.csv, which is
    also what `evaluate` takes. subset: only ROIs of this role (train, val, test, unlabelled) of data folders.
    Raises ImageError as `find_images` does, DataError for a subset that is empty or whose images are missing.
    """
    if subset is not None:
        rois = [roi for path in paths for roi in select_rois(read_rois(path, split=split), subset)]
        require_images(rois)
        return [Job(roi.path, mpp or roi.mpp, roi.boxes) for roi in rois if roi.path is not None]
    images = find_images(paths)
    stated = {folder: _stated_mpp(folder) for folder in {image.parent for image in images}}
    return [Job(image, mpp or stated[image.parent].get(image.name)) for image in images]


def is_image(path: Path) -> bool:
    """Whether a path has an image's ending and is no hidden file."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith(".")


def infer(
    jobs: Sequence[Job],
    detector: Detector,
    out: Path,
    *,
    formats: Sequence[str] = ("challenge",),
    overwrite: bool = False,
    on_image: Callable[[str, int | None], None] | None = None,
    on_tile: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Detect in each image and write `out`/STEM.json (and .csv, …) for it.

    An image whose files are all there is skipped unless `overwrite`. One that fails is noted, the others are done.
    on_image: called with an image's name and its figures (None: skipped or failed). on_tile: tiles done and in all.
    Raises DetectionsError where `out` holds detections of another model or other settings, DeviceError at once.
    """
    check_formats(formats)
    out.mkdir(parents=True, exist_ok=True)
    _check_settings(out, detector, overwrite)
    outcome = Outcome({}, [], {})
    for job in jobs:
        name, figures = job.path.name, None
        if not overwrite and all(path.is_file() for path in _targets(out, job.path, formats)):
            outcome.skipped.append(name)
        else:
            try:
                figures = outcome.figures[name] = infer_one(job, detector, out, formats, on_tile)
            except DeviceError:
                raise
            except MidogError as error:
                outcome.failed[name] = str(error)
            except OSError as error:
                outcome.failed[name] = f"{job.path}: {error.strerror or error}"
        if on_image is not None:
            on_image(name, figures)
    return outcome


def infer_one(
    job: Job,
    detector: Detector,
    out: Path,
    formats: Sequence[str],
    on_tile: Callable[[int, int], None] | None = None,
) -> int:
    """Detect in one image, write its files, return the number of figures at or over the threshold."""
    with open_image(job.path) as image:
        size, mpp = (image.width, image.height), job.mpp if job.mpp is not None else image.mpp
        found = detector(image, mpp=job.mpp, progress=on_tile)
    if mpp is None:
        raise ImageError(f"{job.path}: no mpp is known", "give --mpp")
    threshold = detector.threshold
    for kind, path in zip(formats, _targets(out, job.path, formats), strict=True):
        if kind == "challenge":
            write_challenge(path, found, mpp=mpp, threshold=threshold)
        elif kind == "csv":
            write_csv(path, found, file_name=job.path.name)
        elif kind == "coco":
            write_coco(path, found, file_name=job.path.name, width=size[0], height=size[1])
        else:
            pixels = decode(job.path, cache=False)
            write_overlay(path, pixels, found, mpp=mpp, threshold=threshold, truth=job.truth)
    return count_figures(found, threshold)


def count_figures(found: Detections, threshold: float) -> int:
    """Mitotic figures with a score of at least the threshold."""
    return int(np.count_nonzero(found.figures().scores >= np.float32(threshold)))


def check_formats(formats: Sequence[str]) -> None:
    """Raise DetectionsError for a format that cannot be written."""
    unknown = [kind for kind in formats if kind not in FORMATS]
    if unknown or not formats:
        raise DetectionsError(f"unknown format {', '.join(unknown) or '(none)'}", f"choose from {', '.join(FORMATS)}")


def _stated_mpp(folder: Path) -> dict[str, float]:
    """um/px by file name as the split.csv of the data folder says whose images/ this is."""
    path = folder.parent / "split.csv"
    if folder.name != "images" or not path.is_file():
        return {}
    return {Path(row.file_name).name: row.mpp for row in read_split(path).rows if row.mpp is not None}


def _targets(out: Path, image: Path, formats: Sequence[str]) -> list[Path]:
    return [out / f"{image.stem}{FORMATS[kind]}" for kind in formats]


def _check_settings(out: Path, detector: Detector, overwrite: bool) -> None:
    """Detections of two models in one folder would be scored as one model's: refuse, unless all are made anew."""
    settings = detector.settings()
    path = out / SETTINGS_NAME
    if path.is_file() and not overwrite:
        try:
            before = json.loads(path.read_text())
        except ValueError:
            before = {}
        changed = [key for key in settings if before.get(key) != settings[key]]
        if changed:
            raise DetectionsError(
                f"{out}/ holds detections made with another {', '.join(changed)}",
                "choose another --out, or --overwrite them",
            )
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(settings, indent=1) + "\n")
    part.replace(path)
