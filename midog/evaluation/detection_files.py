"""Which file of a folder holds the detections of which ROI."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.detection_layouts import (
    PREDICTIONS_NAME,
    Source,
    images_in,
    jobs_of,
    sources_in,
)
from midog.formats.file_names import key_of, parts_of
from midog.formats.registry import can_be_scored
from midog.formats.shared import Detected, DetectedPoints

logger = logging.getLogger(__name__)


def read_detections(folder: Path, rois: Sequence[Roi], *, allow_missing: bool) -> list[Detected]:
    """Read the detections of each ROI, in the file's own unit.

    Args:
        folder: The folder of files, in any of the layouts of `midog.evaluation.detection_layouts`;
            or a file that holds all of them.
        rois: The ROIs.
        allow_missing: An ROI without a file has no detections; else it is an error.

    Raises:
        DetectionsError: If the folder does not exist, files are missing or doubled, or one cannot
            be read.
    """
    sources = sources_of(folder, rois)
    missing = [roi.file_name for roi, source in zip(rois, sources, strict=True) if source is None]
    if missing and not allow_missing:
        raise DetectionsError(
            f"{folder} has no detections for {some_of(missing)}",
            "write a file for each ROI, with an empty list `points` where nothing was detected, or"
            " use {allow_missing}",
            {"allow_missing": True},
        )
    return [_nothing() if source is None else source.read() for source in sources]


def sources_of(folder: Path, rois: Sequence[Roi]) -> list[Source | None]:
    """Find the detections of each ROI; None where it has none.

    A line names the files that are of none of these ROIs.

    Raises:
        DetectionsError: If the folder does not exist, or files are doubled.
    """
    if not folder.exists():
        raise DetectionsError(
            f"{folder} is not a folder",
            "give the folder that holds one file per ROI, JSON or GeoJSON",
        )
    finding = _Finding(rois)
    top = folder / PREDICTIONS_NAME if folder.is_dir() else folder
    jobs = jobs_of(top) if top.name == PREDICTIONS_NAME and top.is_file() else []
    finding.take(jobs)
    files = _files(folder)
    if jobs:
        of_jobs = {job.where for job in jobs} | {top}
        files = [file for file in files if file.where not in of_jobs]
    others = finding.take(files)
    if finding.missing:
        for file in others[:]:
            images = images_in(file.where) if file.where.suffix.lower() == ".json" else []
            if any(finding.rois_of(image) for image in images):
                others.remove(file)
                others += finding.take(images)
    finding.require_no_doubt()
    _report(others, len(files) + len(jobs), folder)
    return finding.sources


def some_of(names: Sequence[str], most: int = 8) -> str:
    """Name at most that many, and state how many there are in all."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} … ({len(names)} in all)"


class _Finding:
    """Which source is of which ROI."""

    def __init__(self, rois: Sequence[Roi]) -> None:
        self.rois = rois
        self.sources: list[Source | None] = [None] * len(rois)
        self._numbers = _by_name([roi.file_name for roi in rois])
        self._doubtful: list[tuple[Source, list[int]]] = []

    @property
    def missing(self) -> bool:
        """Whether an ROI has no source yet."""
        return any(source is None for source in self.sources)

    def rois_of(self, source: Source) -> list[int]:
        """The ROIs that a source may be of."""
        for name in source.names:
            if numbers := self._numbers.get(key_of(name)):
                return numbers
        return []

    def take(self, sources: Iterable[Source]) -> list[Source]:
        """Give each source to its ROI; return those that are of no ROI."""
        others = []
        for source in sources:
            numbers = self.rois_of(source)
            if not numbers:
                others.append(source)
            elif len(numbers) > 1:
                self._doubtful.append((source, numbers))
            else:
                self._give(source, numbers[0])
        return others

    def require_no_doubt(self) -> None:
        """Check that no file is left that may be of one of several ROIs, of which one has none."""
        for source, numbers in self._doubtful:
            if any(self.sources[number] is None for number in numbers):
                names = " and ".join(self.rois[number].file_name for number in numbers)
                raise DetectionsError(
                    f"{source.where} may be of {names}",
                    "name it with the image's folder, as 01/01.json, or ending, as 01.tiff.json",
                )

    def _give(self, source: Source, number: int) -> None:
        first = self.sources[number]
        if first is None:
            self.sources[number] = source
        elif first.format is source.format:  # in another format, it is a copy
            raise DetectionsError(
                f"{first.where} and {source.where} are both for {self.rois[number].file_name}",
                "keep one of them",
            )


def _by_name(file_names: Sequence[str]) -> dict[str, list[int]]:
    """The ROIs by every name that their detections may have.

    That is the image's place, with and without its ending; its name alone, likewise, where no ROI
    has that name as its place.
    """
    whole, bare = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for number, file_name in enumerate(file_names):
        parts = parts_of(key_of(file_name))
        for names, place in ((whole, "/".join(parts)), (bare, parts[-1])):
            stem = str(PurePosixPath(place).with_suffix(""))
            for name in dict.fromkeys((place, stem)):
                names[name].append(number)
    return {**bare, **whole}


def _files(folder: Path) -> list[Source]:
    """The files of a folder, or the one that was given instead."""
    if folder.is_dir():
        return list(sources_in(folder))
    return list(sources_in(folder.parent, folder))


def _report(others: Sequence[Source], total: int, folder: Path) -> None:
    """Name the files that are of no ROI."""
    base = folder if folder.is_dir() else folder.parent
    names = [
        str(other.where.relative_to(base))
        + (f" ({other.names[0]})" if other.format is images_in else "")
        for other in others
        if can_be_scored(other.where)
    ]
    if names:
        logger.warning(
            "left out %d of %d files in %s, of no ROI that is scored here: %s",
            len(names),
            total,
            folder,
            some_of(names),
        )


def _nothing() -> DetectedPoints:
    return DetectedPoints(np.zeros((0, 2)), np.zeros(0), np.zeros(0, bool))
