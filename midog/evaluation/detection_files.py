"""Which file of a folder holds the detections of which ROI."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.formats.registry import FORMATS, can_be_scored, readers
from midog.formats.shared import DetectedPoints

logger = logging.getLogger(__name__)

CHALLENGE_NAME = "mitotic-figures.json"
"""The challenge's name of an algorithm's output: STEM/mitotic-figures.json is the ROI STEM's."""


@dataclass(frozen=True)
class DetectionFile:
    """A file of detections.

    Attributes:
        stem: Of the name of its image.
        path: Of the file.
        read: Its reader.
    """

    stem: str
    path: Path
    read: Callable[[Path], DetectedPoints]


def read_detections(
    folder: Path, rois: Sequence[Roi], *, allow_missing: bool
) -> list[DetectedPoints]:
    """Read the detections of each ROI.

    Args:
        folder: The folder of files.
        rois: The ROIs.
        allow_missing: An ROI without a file has no detections; else it is an error.

    Raises:
        DetectionsError: If the folder does not exist, files are missing or doubled, or one cannot
            be read.
    """
    files = _files_by_stem(folder, rois)
    missing = [roi.file_name for roi in rois if _stem(roi) not in files]
    if missing and not allow_missing:
        raise DetectionsError(
            f"{folder} has no detections for {some_of(missing)}",
            "write a file for each ROI, with an empty list `points` where nothing was detected, or"
            " use {allow_missing}",
            {"allow_missing": True},
        )
    return [_read(files.get(_stem(roi))) for roi in rois]


def some_of(names: Sequence[str], most: int = 8) -> str:
    """Name at most that many, and state how many there are in all."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} … ({len(names)} in all)"


def _read(file: DetectionFile | None) -> DetectedPoints:
    if file is None:
        return DetectedPoints(np.zeros((0, 2)), np.zeros(0), np.zeros(0, bool))
    return file.read(file.path)


def _files_by_stem(folder: Path, rois: Sequence[Roi]) -> dict[str, DetectionFile]:
    """The one file of each ROI that has one, by the ROI's stem."""
    if not folder.is_dir():
        raise DetectionsError(
            f"{folder} is not a folder", "give the folder that holds one JSON file per ROI"
        )
    names: dict[str, str] = {}
    for roi in rois:
        if names.setdefault(_stem(roi), roi.file_name) != roi.file_name:
            raise DetectionsError(
                f"{names[_stem(roi)]} and {roi.file_name} would share one file",
                "rename one of them",
            )
    candidates = _candidates(folder)
    files: dict[str, DetectionFile] = {}
    for file in candidates:
        if file.stem not in names:
            continue
        first = files.setdefault(file.stem, file)
        if first != file and first.read is file.read:  # in another format, it is a copy
            raise DetectionsError(
                f"{first.path} and {file.path} are both for {names[file.stem]}", "keep one of them"
            )
    others = [file.path for file in candidates if file.stem not in names]
    others = [path for path in others if can_be_scored(path)]
    if others:
        logger.warning(
            "left out %d of %d files in %s, of no ROI that is scored here: %s",
            len(others),
            len(candidates),
            folder,
            some_of([str(path.relative_to(folder)) for path in others]),
        )
    return files


def _candidates(folder: Path) -> list[DetectionFile]:
    """Files that may be of detections, those of the preferred format first."""
    files = []
    for ending, read in readers():
        for path in sorted(folder.glob(f"[!.]*{ending}")):
            files.append(DetectionFile(path.name.removesuffix(ending), path, read))
        if ending == FORMATS["challenge"].ending:
            for path in sorted(folder.glob(f"*/{CHALLENGE_NAME}")):
                files.append(DetectionFile(path.parent.name, path, read))
    return files


def _stem(roi: Roi) -> str:
    return Path(roi.file_name).stem
