"""Looks through a folder of detections for all that the challenge refuses, file by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from midog.errors import DetectionsError
from midog.evaluation.detection_layouts import CHALLENGE_NAME, PREDICTIONS_NAME
from midog.formats.challenge import interface_of
from midog.formats.file_names import key_of
from midog.formats.registry import can_be_scored
from midog.json_text import read_json
from midog.submission.contract import OUTPUT_SLUG, SLUG
from midog.submission.refusals import refusals_of
from midog.walk import files_below

_OUTPUT = "output"


@dataclass(frozen=True)
class CheckedFile:
    """A file of detections.

    Attributes:
        name: Of the file, in its folder.
        points: How many it holds; 0 where it cannot be read.
        refusals: All that is refused, as clauses.
    """

    name: str
    points: int
    refusals: tuple[str, ...]


def check_folder(folder: Path, images: Collection[str] | None = None) -> list[CheckedFile]:
    """Check the files that midog or another detector wrote, or a folder of the platform's jobs.

    Args:
        folder: With STEM.json or STEM/mitotic-figures.json for each image; or with predictions.json
            and JOB/output/mitotic-figures.json, as the scorer is given them.
        images: Names of the images, such as 001.tiff; None: any name will do.

    Returns:
        Each file, sorted by name; then an image without a file, as a file that does not exist.

    Raises:
        DetectionsError: There is no such folder, or no file of detections in it.
    """
    if not folder.is_dir():
        raise DetectionsError(f"{folder} is not a folder", "give the folder of detections")
    top = folder / PREDICTIONS_NAME
    files = list(_of_jobs(top) if top.is_file() else _of_files(folder))
    if not files:
        raise DetectionsError(
            f"{folder} holds no file of detections", "write a JSON file per image"
        )
    known = {key_of(name): name for name in images or ()}
    known = {str(PurePosixPath(name).with_suffix("")): full for name, full in known.items()} | known
    named = [known.get(key_of(image), image) for image, _ in files]
    counted = Counter(filter(None, named))
    checked = []
    for image, (_, file) in zip(named, files, strict=True):
        refusals = list(file.refusals)
        if images is not None and image and image not in images:
            refusals.append(f"it is of {image}, an image that the scorer does not know")
        if counted[image] > 1:
            refusals.append(f"{counted[image]} files are of {image}")
        checked.append(CheckedFile(file.name, file.points, tuple(refusals)))
    missing = [name for name in images or () if name not in counted]
    checked += [CheckedFile(name, 0, ("no file is of this image",)) for name in missing]
    return checked


def _of_files(folder: Path) -> Iterator[tuple[str, CheckedFile]]:
    """The files of a folder with the names of their images, which may lack the ending."""
    for path in files_below(folder, DetectionsError):
        place = path.relative_to(folder)
        if path.suffix.lower() != ".json" or not can_be_scored(path):
            continue
        named = place.parent if path.name == CHALLENGE_NAME else place
        parts = [part for part in named.parts if part != _OUTPUT]
        image = "/".join(parts)
        if path.name != CHALLENGE_NAME:
            image = image.removesuffix(path.suffix)
        yield image, _checked(path, place.as_posix())


def _of_jobs(path: Path) -> Iterator[tuple[str, CheckedFile]]:
    """The outputs of the platform's jobs, as the scorer looks for them."""
    jobs = read_json(path, DetectionsError, "give grand-challenge's list of jobs")
    if not isinstance(jobs, list):
        raise DetectionsError(f"{path} is no list of jobs", "give grand-challenge's list of jobs")
    for number, job in enumerate(jobs, 1):
        where = f"{path.name} job {number}"
        own = job if isinstance(job, dict) else {}
        slugs = sorted(_slug(entry) for entry in _entries(own, "inputs"))
        if slugs != [SLUG]:
            yield "", CheckedFile(where, 0, (f"its inputs are not {SLUG} alone",))
            continue
        image = _image(_entries(own, "inputs")[0])
        places = [
            _place(entry) for entry in _entries(own, "outputs") if _slug(entry) == OUTPUT_SLUG
        ]
        if not image or not places or not isinstance(own.get("pk"), str):
            what = f"it lacks `pk`, an image's name, or an output {OUTPUT_SLUG} with its place"
            yield image, CheckedFile(where, 0, (what,))
            continue
        file = path.parent / own["pk"] / _OUTPUT / places[0]
        if path.parent.resolve() not in file.resolve().parents:
            yield image, CheckedFile(where, 0, (f"its output {places[0]} is outside the folder",))
            continue
        yield image, _checked(file, f"{own['pk']}/{_OUTPUT}/{places[0]}")


def _checked(path: Path, name: str) -> CheckedFile:
    try:
        document = read_json(path, DetectionsError)
    except DetectionsError as error:
        return CheckedFile(name, 0, (error.what,))
    points = document.get("points") if isinstance(document, dict) else None
    count = len(points) if isinstance(points, list) else 0
    return CheckedFile(name, count, tuple(refusals_of(document)))


def _entries(job: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = job.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _slug(entry: dict[str, Any]) -> str:
    return str(interface_of(entry).get("slug"))


def _place(entry: dict[str, Any]) -> str:
    return str(interface_of(entry).get("relative_path") or CHALLENGE_NAME)


def _image(entry: dict[str, Any]) -> str:
    image = entry.get("image")
    return str(image.get("name") or "") if isinstance(image, dict) else ""
