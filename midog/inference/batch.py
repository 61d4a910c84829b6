"""A batch of images: find them, skip what is done, detect, write every format, go on after a bad
one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from midog.boxes import Boxes, Detections
from midog.data.folder import locate, read_rois, require_images, select_rois
from midog.errors import DataError, DeviceError, ImageError, MidogError
from midog.formats.registry import FORMATS, DetectedImage, require_formats
from midog.images.decode import decode
from midog.images.image import IMAGE_SUFFIXES
from midog.inference.detector import Detector
from midog.inference.output_folder import OutputFolder
from midog.inference.tiles import OpenTiles


@dataclass(frozen=True)
class Job:
    """One image to detect in. mpp overrules the file's own; truth, where it is known, is drawn into
    overlays."""

    path: Path
    mpp: float | None = None
    truth: Boxes | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Outcome:
    """What became of a batch. figures: by image name, those at or over the threshold. failed: by
    image name, what is wrong with it."""

    figures: dict[str, int]
    skipped: list[str]
    failed: dict[str, MidogError]


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Image files among paths: files as they are, folders by the suffix of what is in them, sorted,
    each once.

    A data folder stands for its images/. Raises ImageError for a folder without images, where no
    path is there, and for two images of one stem, whose detections would be one file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            folder = path / "images" if (path / "images").is_dir() else path
            inside = sorted(each for each in folder.iterdir() if is_image(each))
            if not inside:
                raise ImageError(
                    f"no image in {folder}/",
                    f"known endings are {', '.join(sorted(IMAGE_SUFFIXES))}",
                )
            found += inside
        else:  # one that is not there fails in its turn, and the others are done
            found.append(path)
    if found and not any(path.exists() for path in found):
        raise ImageError(f"{found[0]} is not there", "give an image file or a folder of images")
    spelt: dict[Path, Path] = {}
    for path in found:
        spelt.setdefault(path.resolve(), path)
    found = list(spelt.values())  # each file once, however it was spelt
    _require_stems(found)
    return found


def find_jobs(
    paths: Sequence[Path],
    *,
    subset: str | None = None,
    split: str | None = None,
    mpp: float | None = None,
) -> list[Job]:
    """Jobs for images, folders and data folders.

    mpp: um/px of all of them; None: each image's own, for an ROI of a data folder what its split or
    annotation says, as `evaluate` takes it. split: CSV or shipped name, None: the data folder's
    split.csv.
    subset: only ROIs of this role (train, val, test, unlabelled) of data folders.
    Raises ImageError as `find_images` does, DataError for a subset that is empty or whose images
    are missing.
    """
    if subset is not None:
        rois = [roi for path in paths for roi in select_rois(read_rois(path, split=split), subset)]
        require_images(rois)
        jobs = [
            Job(roi.path, roi.mpp if mpp is None else mpp, roi.boxes)
            for roi in rois
            if roi.path is not None
        ]
        _require_stems([job.path for job in jobs])
        return jobs
    images = find_images(paths)
    if mpp is not None:
        return [Job(image, mpp) for image in images]
    stated: dict[Path, float] = {}
    for folder in sorted({image.parent for image in images}):
        stated |= _stated_mpp(folder, split)
    return [Job(image, stated.get(image.resolve())) for image in images]


def is_image(path: Path) -> bool:
    """Whether a path has an image's ending and is no hidden file."""
    return (
        path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


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

    An image whose files are all there is skipped unless `overwrite`. One that fails is noted, the
    others are done. While one is looked at, the next one is opened and the files of the last ones
    are written.
    on_image: called with an image's name and its figures (None: skipped or failed). on_tile: tiles
    done and in all. Raises DetectionsError where `out` holds detections of another model or other
    settings, DeviceError at once.
    """
    require_formats(formats)
    folder = OutputFolder(
        out, detector.settings(), [job.path.stem for job in jobs], overwrite=overwrite
    )
    outcome = Outcome({}, [], {})
    written: deque[tuple[Job, Future[int]]] = deque()  # or being written

    def settle(most: int) -> None:
        """Note what is written, in order, and wait until at most so many images are not."""
        while len(written) > most or (written and written[0][1].done()):
            job, figures = written.popleft()
            with _noting(job, outcome.failed):
                outcome.figures[job.path.name] = figures.result()
            if on_image is not None:
                on_image(job.path.name, outcome.figures.get(job.path.name))

    def tick(done: int, total: int) -> None:
        settle(1)
        if on_tile is not None:
            on_tile(done, total)

    with (
        ThreadPoolExecutor(1, thread_name_prefix="midog-write") as writer,
        closing(_opened(jobs, detector, folder, formats)) as opened,
    ):
        for job, opening in opened:
            looked_at = False
            with _noting(job, outcome.failed):
                image = opening.result()
                if image is None:
                    outcome.skipped.append(job.path.name)
                else:
                    with image:
                        folder.begin(job.path, job.mpp)
                        found = detector.detect(image, tick)
                    looked_at = True
                    written.append(
                        (
                            job,
                            writer.submit(
                                _write, job, image, found, detector.threshold, folder, formats
                            ),
                        )
                    )
            settle(1 if looked_at else 0)
            if not looked_at and on_image is not None:
                on_image(job.path.name, None)
        settle(0)
    return outcome


@contextmanager
def _noting(job: Job, failed: dict[str, MidogError]) -> Iterator[None]:
    """Note an error of this image alone; others are raised."""
    try:
        yield
    except DeviceError:
        raise
    except MidogError as error:
        failed[job.path.name] = error
    except MemoryError:
        failed[job.path.name] = ImageError(
            f"{job.path} does not fit into memory",
            "give its true {mpp}, or a smaller image",
            {"mpp": None},
        )
    except OSError as error:
        failed[job.path.name] = ImageError(f"{job.path}: {error.strerror or error}")


def _opened(
    jobs: Sequence[Job], detector: Detector, folder: OutputFolder, formats: Sequence[str]
) -> Generator[tuple[Job, Future[OpenTiles | None]]]:
    """Each job and its image, None where it was done before; meanwhile the next one is opened and
    read ahead."""

    def open_one(job: Job) -> OpenTiles | None:
        return (
            None
            if folder.is_done(job.path, job.mpp, formats)
            else detector.open(job.path, mpp=job.mpp)
        )

    ahead: deque[tuple[Job, Future[OpenTiles | None]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="midog-open") as opener:
        try:
            for job in jobs:
                ahead.append((job, opener.submit(open_one, job)))
                if len(ahead) > 1:
                    yield ahead.popleft()
            while ahead:
                yield ahead.popleft()
        finally:
            for _, opening in ahead:
                with suppress(Exception):
                    if image := opening.result():
                        image.close()


def _write(
    job: Job,
    image: OpenTiles,
    found: Detections,
    threshold: float,
    folder: OutputFolder,
    formats: Sequence[str],
) -> int:
    """Write the files of one image; returns the number of figures at or over the threshold."""
    detected = DetectedImage(
        file_name=job.path.name,
        width=image.image.width,
        height=image.image.height,
        mpp=image.mpp,
        threshold=threshold,
        detections=found,
        truth=job.truth,
        pixels=lambda: np.asarray(decode(job.path, cache=False)),
    )
    for name, path in zip(formats, folder.targets(job.path.stem, formats), strict=True):
        FORMATS[name].write(path, detected)
    folder.finish(job.path, job.mpp)
    return count_figures(found, threshold)


def count_figures(found: Detections, threshold: float) -> int:
    """Mitotic figures with a score of at least the threshold."""
    return int(np.count_nonzero(found.figures().scores >= np.float32(threshold)))


def _require_stems(images: Sequence[Path]) -> None:
    """Raise ImageError for two images whose detections would be one file."""
    stems: dict[str, Path] = {}
    for image in images:
        if stems.setdefault(image.stem, image) != image:
            raise ImageError(
                f"{stems[image.stem]} and {image} would both be written as {image.stem}",
                "infer them into two folders",
            )


def _stated_mpp(folder: Path, split: str | None) -> dict[Path, float]:
    """um/px by image as the data folder says whose images/ this is (or which this is); nothing of
    any other folder."""
    data = folder.parent if folder.name == "images" else folder
    try:
        locate(data)
    except DataError:
        if split is not None:
            raise
        return {}
    rois = read_rois(data, split=split)
    return {
        roi.path.resolve(): roi.mpp for roi in rois if roi.path is not None and roi.mpp is not None
    }
