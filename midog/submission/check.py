"""Looks through a folder of answers for all that the challenge refuses, file by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from midog.errors import DetectionsError
from midog.evaluation.detection_layouts import PREDICTIONS_NAME
from midog.formats.challenge import interface_of
from midog.formats.file_names import key_of
from midog.formats.registry import can_be_scored
from midog.json_text import read_json
from midog.submission.class_refusals import class_refusals_of
from midog.submission.contract import CLASSIFICATION, DETECTION, Track
from midog.submission.refusals import refusals_of
from midog.walk import files_below

_OUTPUT = "output"


@dataclass(frozen=True)
class CheckedFile:
    """A file of an image.

    Attributes:
        name: Of the file, in its folder.
        count: Points or classified crops that it holds; 0 where it cannot be read.
        refusals: All that is refused, as clauses.
        document: What it holds; None where it cannot be read.
    """

    name: str
    count: int
    refusals: tuple[str, ...]
    document: Any = None


class _File(NamedTuple):
    """A file to be checked. image: name, which may lack the ending; "": not known. name: its own.
    path: None where `refusal` says why there is none."""

    image: str
    name: str
    path: Path | None
    refusal: str = ""


def check_folder(
    folder: Path,
    images: Collection[str] | Mapping[str, int] | None = None,
    *,
    track: Track = DETECTION,
) -> list[CheckedFile]:
    """Check the files that midog or another program wrote, or a folder of the platform's jobs.

    Args:
        folder: With STEM.json or STEM/NAME for each image, NAME being the output's of the track,
            mitotic-figures.json in track 1; or with predictions.json and JOB/output/NAME, as the
            scorer is given them.
        images: Names of the images, such as 001.tiff, in track 2 maybe with the number of crops of
            each; None: any name will do.
        track: Which scorer.

    Returns:
        Each file, sorted by name; then an image without a file, as a file that does not exist.

    Raises:
        DetectionsError: There is no such folder, or no file of detections in it.
    """
    if not folder.is_dir():
        raise DetectionsError(f"{folder} is not a folder", "give the folder of detections")
    top = folder / PREDICTIONS_NAME
    files = list(_of_jobs(top, track) if top.is_file() else _of_files(folder, track))
    if not files:
        raise DetectionsError(
            f"{folder} holds no file of detections", "write a JSON file per image"
        )
    known = {key_of(name): name for name in images or ()}
    known = {str(PurePosixPath(name).with_suffix("")): full for name, full in known.items()} | known
    named = [known.get(key_of(file.image), file.image) for file in files]
    counted = Counter(filter(None, named))
    crops = images if isinstance(images, Mapping) else {}
    checked = []
    for image, file in zip(named, files, strict=True):
        own = _checked(file, track, crops.get(image))
        refusals = list(own.refusals)
        if images is not None and image and image not in images:
            refusals.append(f"it is of {image}, an image that the scorer does not know")
        if counted[image] > 1:
            refusals.append(f"{counted[image]} files are of {image}")
        checked.append(replace(own, refusals=tuple(refusals)))
    missing = [name for name in images or () if name not in counted]
    checked += [CheckedFile(name, 0, ("no file is of this image",)) for name in missing]
    return checked


def _of_files(folder: Path, track: Track) -> Iterator[_File]:
    """The files of a folder."""
    for path in files_below(folder, DetectionsError):
        place = path.relative_to(folder)
        if path.suffix.lower() != ".json" or not can_be_scored(path):
            continue
        named = place.parent if path.name == track.output_name else place
        parts = [part for part in named.parts if part != _OUTPUT]
        image = "/".join(parts)
        if path.name != track.output_name:
            image = image.removesuffix(path.suffix)
        yield _File(image, place.as_posix(), path)


def _of_jobs(path: Path, track: Track) -> Iterator[_File]:
    """The outputs of the platform's jobs, as the scorer looks for them."""
    jobs = read_json(path, DetectionsError, "give grand-challenge's list of jobs")
    if not isinstance(jobs, list):
        raise DetectionsError(f"{path} is no list of jobs", "give grand-challenge's list of jobs")
    for number, job in enumerate(jobs, 1):
        where = f"{path.name} job {number}"
        own = job if isinstance(job, dict) else {}
        slugs = sorted(_slug(entry) for entry in _entries(own, "inputs"))
        if slugs != [track.slug]:
            yield _File("", where, None, f"its inputs are not {track.slug} alone")
            continue
        image = _image(_entries(own, "inputs")[0])
        places = [
            _place(entry, track)
            for entry in _entries(own, "outputs")
            if _slug(entry) == track.output_slug
        ]
        if not image or not places or not isinstance(own.get("pk"), str):
            what = (
                f"it lacks `pk`, an image's name, or an output {track.output_slug} with its place"
            )
            yield _File(image, where, None, what)
            continue
        file = path.parent / own["pk"] / _OUTPUT / places[0]
        if path.parent.resolve() not in file.resolve().parents:
            yield _File(image, where, None, f"its output {places[0]} is outside the folder")
            continue
        yield _File(image, f"{own['pk']}/{_OUTPUT}/{places[0]}", file)


def _checked(file: _File, track: Track, crops: int | None) -> CheckedFile:
    if file.path is None:
        return CheckedFile(file.name, 0, (file.refusal,))
    try:
        document = read_json(file.path, DetectionsError)
    except DetectionsError as error:
        return CheckedFile(file.name, 0, (error.what,))
    if track is CLASSIFICATION:
        entries, refusals = document, class_refusals_of(document, crops)
    else:
        entries = document.get("points") if isinstance(document, dict) else None
        refusals = refusals_of(document)
    count = len(entries) if isinstance(entries, list) else 0
    return CheckedFile(file.name, count, tuple(refusals), document)


def _entries(job: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = job.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _slug(entry: dict[str, Any]) -> str:
    return str(interface_of(entry).get("slug"))


def _place(entry: dict[str, Any], track: Track) -> str:
    return str(interface_of(entry).get("relative_path") or track.output_name)


def _image(entry: dict[str, Any]) -> str:
    image = entry.get("image")
    return str(image.get("name") or "") if isinstance(image, dict) else ""
