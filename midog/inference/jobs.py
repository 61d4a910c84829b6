"""Which images to detect in: from what a user names to jobs with their mpp."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from midog.boxes import Boxes
from midog.data.annotations.read import is_database, may_hold_annotations, read_annotations
from midog.data.annotations.reader import AUTO, BoxChoice
from midog.data.find_files import default_split
from midog.data.find_images import with_images
from midog.data.folder import read_rois, require_images, select_rois
from midog.data.roi import Roi
from midog.data.split_file import read_split
from midog.errors import DataError, DetectionsError, DeviceError, ImageError, MidogError
from midog.formats.file_names import parts_of, stem_of
from midog.inference.given_images import find_images
from midog.inference.image_files import ImageFile
from midog.inference.manifest import is_manifest
from midog.inference.output_entries import is_output
from midog.mpp import GivenMpp, MppLike
from midog.names import real_path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One image to detect in.

    Attributes:
        path: The image file.
        mpp: um/px of level 0, or those along x and y, which overrule the file's own; None: the
            file's own.
        truth: The annotated boxes in level-0 px, to be drawn into overlays; None: unlabelled.
        file_name: Its name in outputs, with its case folders (01/01.tif); "": that of the file.
        scanner, patient: "" where none is stated.
        mpp_from: What states `mpp`, for warnings; "": the user, a split or an annotation.
    """

    path: Path
    mpp: MppLike | None = None
    truth: Boxes | None = field(default=None, compare=False)
    file_name: str = ""
    scanner: str = ""
    patient: str = ""
    mpp_from: str = ""

    @property
    def given_mpp(self) -> MppLike | None:
        """`mpp`, with what states it where that is known."""
        if self.mpp is None or isinstance(self.mpp, GivenMpp) or not self.mpp_from:
            return self.mpp
        return GivenMpp(self.mpp, self.mpp_from)

    @property
    def name(self) -> str:
        """The image's name in outputs and reports."""
        return self.file_name or self.path.name

    @property
    def stem(self) -> str:
        """The name of its files without their endings."""
        return stem_of(self.name)


def find_jobs(
    paths: Sequence[Path],
    *,
    subset: str | None = None,
    split: str | None = None,
    annotations: Path | None = None,
    bbox: BoxChoice = "auto",
    classes: str = "",
    annotations_format: str = AUTO,
    mpp: MppLike | None = None,
    out: Path | None = None,
) -> list[Job]:
    """Find the jobs in images, folders, patterns, manifests and data folders.

    Args:
        paths: As `find_images` takes them.
        subset: Take only ROIs of this role (train, val, test, unlabelled), of data folders, which
            are used as one.
        split: CSV or shipped name; None: the data folder's split.csv.
        annotations: The annotation file; None: all that the data folder holds.
        bbox: How it writes boxes, see `read_annotations`.
        classes: What its classes are, see `read_annotations`.
        annotations_format: Of what format it is, see `read_annotations`.
        mpp: um/px of all of them; None: each image's own, for one of a manifest what that states,
            for an ROI of a data folder what its split or annotation states, as `evaluate` takes it.
        out: Folder for detections, see `find_images`.

    Raises:
        ImageError: As `find_images` does, and for an image of which two annotation files state
            different um/px.
        DataError: For a manifest that cannot be used, for one with a subset, and for a subset that
            is empty or whose images are missing.
    """
    if subset is not None:
        _refuse_manifests(paths)
        read = read_rois(
            paths,
            split=split,
            annotations=annotations,
            bbox=bbox,
            classes=classes,
            annotations_format=annotations_format,
        )
        rois = select_rois(read, subset)
        require_images(rois)
        return [job_of(roi, roi.path, mpp) for roi in rois if roi.path is not None]
    images = find_images(paths, out=out)
    stated: dict[Path, float] = {}
    if mpp is None:
        if split is not None:
            _require_listed(images, split)
        for folder in _data_folders(paths, images):
            stated |= _stated_mpp(folder, split, annotations, bbox, classes, annotations_format)
    return [_job_in(image, mpp, stated) for image in images]


def job_of(roi: Roi, path: Path, mpp: MppLike | None = None) -> Job:
    """The job of an ROI; its outputs are named as the data folder names it.

    Args:
        roi: The ROI.
        path: Its image.
        mpp: um/px; None: what is stated of the ROI.
    """
    parts = parts_of(roi.file_name)
    is_below = list(path.parts[-len(parts) :]) == parts
    name = "/".join(parts) if is_below else path.name
    return Job(path, roi.mpp if mpp is None else mpp, roi.boxes, name)


def require_own_files(jobs: Sequence[Job], endings: Sequence[str], *, ignores_case: bool) -> None:
    """Check that no two images would be written to one file.

    Args:
        jobs: The images.
        endings: Of the files of an image, after its stem.
        ignores_case: The disk takes A.json for a.json.

    Raises:
        DetectionsError: Names the two images and the file.
    """
    owners: dict[str, Job] = {}
    for job in jobs:
        for ending in endings:
            file = f"{job.stem}{ending}"
            key = unicodedata.normalize("NFC", file).casefold() if ignores_case else file
            first = owners.setdefault(key, job)
            if first is not job:
                fix = "write them into two folders"
                if first.path.parent != job.path.parent:
                    fix += ", or give the folder above theirs"
                raise DetectionsError(
                    f"{first.path} and {job.path} would both be written as {file}", fix
                )


def _job_in(image: ImageFile, mpp: MppLike | None, stated: Mapping[Path, float]) -> Job:
    """The job of a file; the user's um/px before a manifest's, and that before a data folder's."""
    own = image.mpp if mpp is None else mpp
    holding = stated.get(real_path(image.path)) if own is None else own
    stated_in = image.stated_in if mpp is None and image.mpp is not None else ""
    return Job(image.path, holding, None, image.name, image.scanner, image.patient, stated_in)


def _refuse_manifests(paths: Iterable[Path]) -> None:
    for path in paths:
        if is_manifest(path):
            raise DataError(
                f"{path} is a manifest, which states no roles",
                "leave out {subset}, or give a data folder",
                {"subset": None},
            )


def _require_listed(images: Sequence[ImageFile], split: str) -> None:
    names = {PurePath(row.file_name).name for row in read_split(split).rows}
    if not any(image.path.name in names for image in images):
        raise DataError(f"{split} lists none of these images", "give the split of these, or none")


def _data_folders(paths: Iterable[Path], images: Iterable[ImageFile]) -> list[Path]:
    """Folders that may state something of these images, those nearest to them last."""
    folders = {path for path in paths if path.is_dir()}
    for folder in {image.path.parent for image in images}:
        folders.add(folder)
        folders |= {above.parent for above in (folder, *folder.parents) if above.name == "images"}
    return sorted(folders, key=lambda folder: (len(real_path(folder).parts), folder))


def _stated_mpp(
    folder: Path,
    split: str | None,
    annotations: Path | None,
    bbox: BoxChoice,
    classes: str,
    annotations_format: str,
) -> dict[Path, float]:
    """um/px by image as a data folder states it, its split before its annotation files; a folder of
    images alone states nothing.

    A file that cannot be read is named in a line, and stops nothing; one that was asked for is an
    error.
    """
    stated: dict[Path, float] = {}
    for file in [annotations] if annotations else _annotation_files(folder):
        with _left_out(file, asked=annotations is not None):
            rois = read_annotations(
                file,
                bbox=bbox,
                classes=classes,
                annotations_format=annotations_format,
                images=folder,
            ).rois
            _join(stated, _by_path(rois, folder), folder)
    chosen = default_split(folder) if split is None else split
    if chosen is not None:
        with _left_out(chosen, asked=split is not None):
            rows = [Roi(row.file_name, mpp=row.mpp) for row in read_split(chosen).rows]
            stated |= _by_path(rows, folder)
    return stated


@contextmanager
def _left_out(file: Path | str, *, asked: bool) -> Iterator[None]:
    """Name a file that cannot be read in a line, unless it was asked for."""
    try:
        yield
    except DataError as error:
        if asked:
            raise
        logger.warning("%s is left out: %.300s", file, error.what)


def _annotation_files(folder: Path) -> list[Path]:
    """The files of a folder that may hold annotations with um/px, but for midog's own outputs."""
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:  # an image that does not exist fails in its turn
        if folder.exists():
            logger.warning("%s/ is not looked into for um/px: %s", folder, error.strerror)
        return []
    return [
        path
        for path in inside
        if may_hold_annotations(path) and not is_database(path) and not is_output(path, folder)
    ]


def _by_path(rois: Iterable[Roi], folder: Path) -> dict[Path, float]:
    placed = with_images([roi for roi in rois if roi.mpp is not None], folder)
    return {
        real_path(roi.path): roi.mpp
        for roi in placed
        if roi.path is not None and roi.mpp is not None
    }


def _join(stated: dict[Path, float], more: Mapping[Path, float], folder: Path) -> None:
    for path, mpp in more.items():
        if stated.setdefault(path, mpp) != mpp:
            raise ImageError(
                f"{path}: {folder}/ states the mpp {stated[path]:g} and {mpp:g} for it",
                "give {mpp}, or choose with {annotations}",
                {"mpp": None, "annotations": None},
            )


@contextmanager
def noting(job: Job, failed: dict[str, MidogError]) -> Iterator[None]:
    """Note whatever is wrong with this image alone; what is wrong with the device is raised."""
    try:
        yield
    except DeviceError:
        raise
    except MidogError as error:
        failed[job.name] = error
    except MemoryError:
        failed[job.name] = ImageError(
            f"{job.path} does not fit into memory",
            "give its true {mpp}, or a smaller image",
            {"mpp": None},
        )
    except OSError as error:
        failed[job.name] = ImageError(f"{job.path}: {error.strerror or error}")
    except Exception as error:  # our own mistake, or a library's: the others are done
        logger.debug("%s", job.path, exc_info=True)
        what = f"{job.path} failed with an unexpected {type(error).__name__}: {error}"
        failed[job.name] = ImageError(what, "leave it out, or convert it to a tiled 8-bit RGB TIFF")
