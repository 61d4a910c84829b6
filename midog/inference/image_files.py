"""The image files among paths: files as they are given, and those in folders and below them."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midog.errors import ImageError
from midog.images.dicom import one_of_each_slide
from midog.images.image import IMAGE_SUFFIXES
from midog.inference.output_entries import is_output
from midog.names import real_path
from midog.walk import files_below

logger = logging.getLogger(__name__)

_UNREAD_SLIDES = frozenset(
    {".czi", ".i2syntax", ".isyntax", ".kfb", ".lif", ".mds", ".nd2", ".oib", ".oif"}
    | {".sdpc", ".tmap", ".vsi", ".zvi"}
)
"""Endings of slides that are not read: such a file in a folder is worth a line."""


@dataclass(frozen=True)
class ImageFile:
    """An image file.

    Attributes:
        path: The file.
        name: Its name, with the folders between it and the folder that was given: case2/y.tiff.
    """

    path: Path
    name: str


def find_images(paths: Sequence[Path]) -> list[ImageFile]:
    """Find the image files among paths.

    Args:
        paths: Files, which are taken as they are, and folders, of which all files with an image's
            ending are taken, sorted, with those in folders below. A data folder stands for its
            images/. Left out are hidden files and folders, and the overlays that midog wrote.

    Returns:
        Each file once, and each DICOM slide by its first file. One that does not exist is among
        them, so that it fails in its turn and the others are done.

    Raises:
        ImageError: For a folder without images, and if no path exists.
    """
    images: list[ImageFile] = []
    for path in paths:
        images += _images_in(path) if path.is_dir() else [ImageFile(path, path.name)]
    if images and not any(os.path.lexists(image.path) for image in images):
        raise ImageError(
            f"{images[0].path} does not exist", "give an image file or a folder of images"
        )
    by_place: dict[Path, ImageFile] = {}
    for image in images:
        by_place.setdefault(real_path(image.path), image)
    of_slides = set(one_of_each_slide(image.path for image in by_place.values()))
    if further := len(by_place) - len(of_slides):
        logger.info("%d DICOM files are further parts of slides", further)
    return [image for image in by_place.values() if image.path in of_slides]


def _images_in(path: Path) -> list[ImageFile]:
    """The images in a folder and below it; a line counts those below, and what is left out."""
    folder = path / "images" if (path / "images").is_dir() else path
    images, below, left_out = list[ImageFile](), 0, Counter[str]()
    for file in files_below(folder, ImageError):
        suffix = file.suffix.lower()
        if suffix in _UNREAD_SLIDES:
            left_out[f"{suffix} files, which are not read: convert them to TIFF"] += 1
        elif suffix in IMAGE_SUFFIXES and _is_written(file, folder):
            left_out["pictures that midog wrote"] += 1
        elif suffix in IMAGE_SUFFIXES:
            images.append(ImageFile(file, file.relative_to(folder).as_posix()))
            below += file.parent != folder
    if folder != path:
        beside = sum(_is_image(file) for file in path.iterdir())
        left_out["images beside images/"] += beside
    for what, number in left_out.items():
        if number:
            logger.warning("%s/: left out %d %s", path, number, what)
    if not images:
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ImageError(f"no image in {folder}/", f"give files that end in {endings}")
    if below:
        logger.info("%s/: %d images, %d of them in folders below", folder, len(images), below)
    return images


def _is_image(path: Path) -> bool:
    """Whether a path has an image's ending and is no hidden file."""
    return (
        path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def _is_written(path: Path, top: Path) -> bool:
    """Whether a picture is an output of midog, in that folder, below it or just above it."""
    above = [path.parent, *path.parent.parents]
    within = above[: above.index(top) + 1]
    return any(is_output(path, folder) for folder in [*within, top.parent])
