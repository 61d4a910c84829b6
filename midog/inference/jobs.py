"""Which images to detect in: from images, folders and data folders to jobs with their mpp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from midog.boxes import Boxes
from midog.data.folder import locate, read_rois, require_images, select_rois
from midog.errors import DataError, ImageError
from midog.images.image import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Job:
    """One image to detect in.

    Attributes:
        path: The image file.
        mpp: um/px of level 0, which overrules the file's own; None: the file's own.
        truth: The annotated boxes in level-0 px, to be drawn into overlays; None: unlabelled.
    """

    path: Path
    mpp: float | None = None
    truth: Boxes | None = field(default=None, compare=False)


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Find the image files among paths.

    Args:
        paths: Files, which are taken as they are, and folders, of which all files with an image's
            ending are taken, sorted. A data folder stands for its images/.

    Returns:
        Each file once. One that does not exist is among them, so that it fails in its turn and the
        others are done.

    Raises:
        ImageError: For a folder without images, if no path exists, and for two images of one stem,
            whose detections would be one file.
    """
    images: list[Path] = []
    for path in paths:
        images += _images_in(path) if path.is_dir() else [path]
    if images and not any(path.exists() for path in images):
        raise ImageError(f"{images[0]} does not exist", "give an image file or a folder of images")
    by_place: dict[Path, Path] = {}
    for path in images:
        by_place.setdefault(path.resolve(), path)
    images = list(by_place.values())
    _require_stems(images)
    return images


def find_jobs(
    paths: Sequence[Path],
    *,
    subset: str | None = None,
    split: str | None = None,
    mpp: float | None = None,
) -> list[Job]:
    """Find the jobs in images, folders and data folders.

    Args:
        paths: As `find_images` takes them.
        subset: Take only ROIs of this role (train, val, test, unlabelled), of data folders.
        split: CSV or shipped name; None: the data folder's split.csv.
        mpp: um/px of all of them; None: each image's own, for an ROI of a data folder what its
            split or annotation states, as `evaluate` takes it.

    Raises:
        ImageError: As `find_images` does.
        DataError: For a subset that is empty or whose images are missing.
    """
    if subset is not None:
        return _jobs_of_subset(paths, subset, split, mpp)
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


def _images_in(path: Path) -> list[Path]:
    folder = path / "images" if (path / "images").is_dir() else path
    images = sorted(inside for inside in folder.iterdir() if is_image(inside))
    if not images:
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ImageError(f"no image in {folder}/", f"give files that end in {endings}")
    return images


def _jobs_of_subset(
    paths: Sequence[Path], subset: str, split: str | None, mpp: float | None
) -> list[Job]:
    rois = [roi for path in paths for roi in select_rois(read_rois(path, split=split), subset)]
    require_images(rois)
    jobs = [
        Job(roi.path, roi.mpp if mpp is None else mpp, roi.boxes)
        for roi in rois
        if roi.path is not None
    ]
    _require_stems([job.path for job in jobs])
    return jobs


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
    """um/px by image as stated by the data folder that this is, or whose images/ this is.

    Any other folder states nothing.
    """
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
