"""The image files in a folder and below it."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from midog.errors import ImageError
from midog.images.image import IMAGE_SUFFIXES
from midog.inference.output_entries import is_output
from midog.mpp import MppLike
from midog.walk import files_below

logger = logging.getLogger(__name__)

_UNREAD_SLIDES = frozenset(
    {".czi", ".i2syntax", ".isyntax", ".kfb", ".lif", ".mds", ".nd2", ".oib", ".oif"}
    | {".sdpc", ".tmap", ".vsi", ".zvi"}
)
"""Endings of slides that are not read: such a file in a folder is worth a line."""


@dataclass(frozen=True)
class ImageFile:
    """An image file, and what a manifest states of it.

    Attributes:
        path: The file.
        name: Its name, with the folders between it and the folder that was given: case2/y.tiff.
        mpp: um/px that overrule the file's own; None: not stated.
        scanner, patient: "" where not stated.
        stated_in: The manifest's line that lists it; "": none does.
    """

    path: Path
    name: str
    mpp: MppLike | None = None
    scanner: str = ""
    patient: str = ""
    stated_in: str = ""


def images_in(path: Path) -> list[ImageFile]:
    """Return the images in a folder and below it, sorted, the folder's own first.

    A data folder stands for its images/. Left out are hidden files and folders, and the pictures
    that midog wrote; a line counts what is left out, and the images below.

    Raises:
        ImageError: There is none.
    """
    folder = path / "images" if (path / "images").is_dir() else path
    images, below, left_out = list[ImageFile](), 0, Counter[str]()
    for file in files_below(folder, ImageError):
        suffix = file.suffix.lower()
        if suffix in _UNREAD_SLIDES:
            left_out[f"{suffix} files, which are not read: convert them to TIFF"] += 1
        elif suffix in IMAGE_SUFFIXES and is_written(file, folder):
            left_out["pictures that midog wrote"] += 1
        elif suffix in IMAGE_SUFFIXES:
            images.append(ImageFile(file, file.relative_to(folder).as_posix()))
            below += file.parent != folder
    if folder != path:
        beside = sum(is_image(file) for file in path.iterdir())
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


def is_image(path: Path) -> bool:
    """Whether a path has an image's ending and is no hidden file."""
    return (
        path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def is_written(path: Path, top: Path) -> bool:
    """Whether a picture is an output of midog, in that folder, below it or just above it."""
    above = [path.parent, *path.parent.parents]
    within = above[: above.index(top) + 1]
    return any(is_output(path, folder) for folder in [*within, top.parent])
