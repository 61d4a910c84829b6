"""The image files that a user names: files, folders, patterns such as slides/*.svs, manifests."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from midog.errors import DataError, ImageError
from midog.formats.file_names import stem_of
from midog.formats.registry import FORMATS
from midog.images.dicom import one_of_each_slide
from midog.inference.image_files import ImageFile, images_in, is_image, is_written
from midog.inference.manifest import is_manifest, read_manifest
from midog.names import real_path
from midog.tissue.picture import ENDING as TISSUE_ENDING

logger = logging.getLogger(__name__)

_MOST = 200_000
_MAGIC = frozenset("*?[")


def find_images(paths: Sequence[Path], *, out: Path | None = None) -> list[ImageFile]:
    """Find the image files among paths.

    Args:
        paths: Files, which are taken as they are; folders, see `images_in`; patterns with `*`, `?`,
            `[…]` or `**`, of which images and folders are taken, sorted; manifests (.csv), see
            `read_manifest`. What exists under a pattern's own name is no pattern.
        out: Folder for detections. A picture there that has the name of a picture of detections in
            one of these images is none of them, whether it is written already or not.

    Returns:
        Each file once, and each DICOM slide by its first file. One that does not exist is among
        them, so that it fails in its turn and the others are done.

    Raises:
        ImageError: For a folder without images, a pattern that no image matches, and if no path
            exists.
        DataError: For a manifest that cannot be used.
    """
    images: list[ImageFile] = []
    for path in paths:
        images += _images_at(path)
    if images and not any(os.path.lexists(image.path) for image in images):
        raise ImageError(
            f"{images[0].path} does not exist", "give an image file or a folder of images"
        )
    by_place = _each_once(images)
    if out is not None:
        by_place = _without_outputs(by_place, out)
    of_slides = set(one_of_each_slide(image.path for image in by_place.values()))
    if further := len(by_place) - len(of_slides):
        logger.info("%d DICOM files are further parts of slides", further)
    return [image for image in by_place.values() if image.path in of_slides]


def _images_at(path: Path) -> list[ImageFile]:
    if path.is_dir():
        return images_in(path)
    if is_manifest(path):
        return read_manifest(path)
    if _MAGIC & set(str(path)) and not os.path.lexists(path):
        return _matching(path)
    return [ImageFile(path, path.name)]


def _each_once(images: Iterable[ImageFile]) -> dict[Path, ImageFile]:
    """The images by their real place, with what a manifest states of them."""
    by_place: dict[Path, ImageFile] = {}
    for image in images:
        place = real_path(image.path)
        first = by_place.setdefault(place, image)
        if first is image or not image.stated_in:
            continue
        if first.stated_in:
            raise DataError(
                f"{image.stated_in} lists {image.path}, as does {first.stated_in}",
                "list each image once",
            )
        by_place[place] = replace(image, path=first.path, name=first.name)
    return by_place


def _matching(pattern: Path) -> list[ImageFile]:
    """The images that match a pattern, named from the last folder before its first wildcard on."""
    parts = pattern.expanduser().parts
    first = next(number for number, part in enumerate(parts) if _MAGIC & set(part))
    top = Path(*parts[:first])
    images, others = list[ImageFile](), 0
    for path in sorted(_matches(str(Path(*parts)), pattern)):
        if path.is_dir():
            images += _of_folder(path, top)
        elif is_image(path) and not is_written(path, top):
            images.append(ImageFile(path, path.relative_to(top).as_posix()))
        else:
            others += 1
    if not images:
        what = f"no image matches {pattern}" + (f", only {others} other files" if others else "")
        raise ImageError(what, "correct the pattern, or give a folder of images")
    if others:
        logger.warning("%s: left out %d files that are no images", pattern, others)
    return images


def _matches(text: str, pattern: Path) -> Iterator[Path]:
    for number, path in enumerate(glob.iglob(text, recursive=True)):
        if number >= _MOST:
            raise ImageError(
                f"{pattern} matches more than {_MOST:,} files", "give a narrower pattern"
            )
        yield Path(path)


def _of_folder(folder: Path, top: Path) -> list[ImageFile]:
    """The images of a folder that matches a pattern; one without any, as beside an MRXS slide, is
    passed over."""
    try:
        inside = images_in(folder)
    except ImageError:
        return []
    above = folder.relative_to(top)
    return [replace(image, name=(above / image.name).as_posix()) for image in inside]


def _without_outputs(images: dict[Path, ImageFile], out: Path) -> dict[Path, ImageFile]:
    """The images without pictures of their own detections.

    An entry tells such a picture too (`is_output`), but a process that starts while another one
    writes must see the same list of images.
    """
    folder = real_path(out)
    if not any(folder in place.parents for place in images):
        return images
    endings = [entry.ending for entry in FORMATS.values()] + [TISSUE_ENDING]
    written = {
        folder / f"{stem_of(image.name)}{ending}" for image in images.values() for ending in endings
    }
    left = {place: image for place, image in images.items() if place not in written}
    if further := len(images) - len(left):
        logger.warning("%s/: left out %d pictures of detections", out, further)
    return left
