"""How folders of detections are laid out: a file per ROI, jobs of grand-challenge, one file of all
ROIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from midog.errors import DetectionsError
from midog.formats.challenge import interface_of, parse_challenge, read_challenge
from midog.formats.registry import FORMATS, readers
from midog.formats.shared import Detected, DetectedPoints
from midog.json_text import read_json
from midog.walk import files_below

CHALLENGE_NAME = "mitotic-figures.json"
"""The challenge's name of an algorithm's output: STEM/mitotic-figures.json is the ROI STEM's."""
PREDICTIONS_NAME = "predictions.json"
"""Grand-challenge's list of jobs: the image of each, and where its outputs lie."""

_OUTPUT = {"output", "outputs"}
_JOBS_FIX = "give grand-challenge's list of jobs with `pk`, `inputs` and `outputs`"


@dataclass(frozen=True)
class Source:
    """The detections of one image.

    Attributes:
        names: Of the image, with or without its ending or its folders.
        where: The file, for messages; several sources may lie in one.
        read: Reads them.
        format: What `read` reads, the same for sources of one format.
    """

    names: tuple[str, ...]
    where: Path
    read: Callable[[], Detected]
    format: object


def sources_in(folder: Path, file: Path | None = None) -> Iterator[Source]:
    """The files that may be of detections, those of the preferred format first.

    Args:
        folder: The folder; folders below are read too.
        file: Of that folder, this file alone.

    Files of folders below are named with these: 01/01.json is 01/01. A mitotic-figures.json has the
    name of its folder, or of the one above output/.

    Raises:
        DetectionsError: The folder holds more files than can be.
    """
    files = files_below(folder, DetectionsError) if file is None else [file]
    paths = sorted(files, key=lambda path: (len(path.parts), path))
    for ending, read in readers():
        for path in paths:
            if not path.name.lower().endswith(ending) or len(path.name) == len(ending):
                continue
            place = path.relative_to(folder).as_posix()
            names = [place[: -len(ending)]]
            if path.name == CHALLENGE_NAME and read is FORMATS["challenge"].read:
                above = [part for part in place.split("/")[:-1] if part not in _OUTPUT]
                names.append("/".join(above))
            yield Source(tuple(filter(None, names)), path, partial(read, path), read)


def jobs_of(path: Path) -> list[Source]:
    """The jobs in a predictions.json of grand-challenge: outputs of each beside it, or in it.

    Returns:
        The jobs that have detections; none if the file is of one ROI that is named so.

    Raises:
        DetectionsError: If the file is no list of jobs.
    """
    tree = read_json(path, DetectionsError, _JOBS_FIX)
    if isinstance(tree, dict):
        return []
    if not isinstance(tree, list):
        raise DetectionsError(f"{path} is no list of jobs", _JOBS_FIX)
    jobs = [_job(job, path, number) for number, job in enumerate(tree, 1)]
    return [job for job in jobs if job is not None]


def images_in(path: Path) -> list[Source]:
    """The images in a JSON file that is keyed by image; none if it is not such a file.

    Raises:
        DetectionsError: When one is read that holds no points.
    """
    try:
        tree = read_json(path, DetectionsError)
    except DetectionsError:  # whoever scores the file reports it
        return []
    if not isinstance(tree, dict) or "points" in tree:
        return []
    return [
        Source((name,), path, partial(_parse_value, value, f"{path} {name}"), images_in)
        for name, value in tree.items()
        if isinstance(value, dict | list)
    ]


def _parse_value(value: Any, where: str) -> DetectedPoints:
    return parse_challenge({"points": value} if isinstance(value, list) else value, where)


def _job(job: Any, path: Path, number: int) -> Source | None:
    """One job; None if it has no output of mitotic figures."""
    where = f"{path} job {number}"
    if not isinstance(job, dict) or not isinstance(job.get("inputs"), list):
        raise DetectionsError(f"{where} has no list `inputs`", _JOBS_FIX)
    inputs = [one for one in job["inputs"] if isinstance(one, dict)]
    images = [one["image"] for one in inputs if isinstance(one.get("image"), dict)]
    names = tuple(image["name"] for image in images if isinstance(image.get("name"), str))
    if not names:
        raise DetectionsError(f"{where} has no input with an image's name", _JOBS_FIX)
    outputs = job.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        source = _output(output, names, str(job.get("pk", "")), path, where)
        if source is not None:
            return source
    return None


def _output(output: Any, names: tuple[str, ...], pk: str, path: Path, where: str) -> Source | None:
    """An output if it is of mitotic figures: the file of the job, or the value beside it."""
    if not isinstance(output, dict):
        return None
    interface = interface_of(output)
    place = PurePosixPath(str(interface.get("relative_path") or CHALLENGE_NAME))
    if place.name != CHALLENGE_NAME and interface.get("slug") != "mitotic-figures":
        return None
    value = output.get("value")
    if isinstance(value, Mapping) and "points" in value:
        return Source(names, path, partial(parse_challenge, value, where), jobs_of)
    if place.is_absolute() or ".." in (*place.parts, pk) or "/" in pk:
        raise DetectionsError(f"{where} names {pk}/{place}, outside the folder", _JOBS_FIX)
    for folder in ("output", "outputs", "."):
        file = path.parent / pk / folder / place
        if file.is_file():
            return Source(names, file, partial(read_challenge, file), jobs_of)
    return None
