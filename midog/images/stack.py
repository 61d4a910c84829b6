"""Stacks: files of several small pictures, such as crops around figures, read in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from midog.errors import ImageError
from midog.images.image import SlideImage
from midog.images.open_mha import is_mha, planes_of_mha
from midog.images.open_tiff import check_complete
from midog.images.opened_file import OpenedFile, in_memory, one_kind_of_error
from midog.images.orientation import turned
from midog.images.stated_mpp import mpp_of_tiff
from midog.images.tiff_bounds import check_tiff
from midog.images.tiff_colours import check_readable, to_rgb
from midog.mpp import settle

MOST_PICTURES, MOST_SIDE_PX = 4096, 2048
"""Of a stack and of its pictures: beyond that a file is no stack of crops."""

_ORIENTATION = 274
_HEAD = 32


def open_stack(path: Path) -> list[SlideImage]:
    """Open a TIFF, each page of which is a picture, or a MetaImage, each plane of which is one.

    Sizes and um/px of a TIFF's pages may differ. All pixels are decoded at once.

    Returns:
        The pictures in the order of the file, at least one; closed by nobody, as no file is open.

    Raises:
        ImageError: The file is missing, cut short or of another kind, a picture is other than 8-bit
            grey, palette, RGB or RGBA, or there are more or larger ones than a stack has.
    """
    with one_kind_of_error(path):
        with path.open("rb") as file:
            head = file.read(_HEAD)
        files = planes_of_mha(path) if is_mha(path, head) else _pages(path)
    _require_crops(path, [file.size for file in files])
    return [SlideImage(path, file) for file in files]


def _require_crops(path: Path, sizes: Sequence[tuple[int, int]]) -> None:
    largest = max(map(max, sizes), default=0)
    if not sizes or len(sizes) > MOST_PICTURES or largest > MOST_SIDE_PX:
        raise ImageError(
            f"{path} holds {len(sizes)} pictures of up to {largest} px",
            f"give a stack of 1 to {MOST_PICTURES} crops of at most {MOST_SIDE_PX} px",
        )


def _pages(path: Path) -> list[OpenedFile]:
    check_tiff(path)
    with tifffile.TiffFile(path) as tiff:
        tiff.pages.useframes = False
        pages: list[Any] = list(tiff.pages)
        _require_crops(path, [(page.imagewidth, page.imagelength) for page in pages])
        check_complete(path, pages)
        return [_page(path, tiff, page) for page in pages]


def _page(path: Path, tiff: Any, page: Any) -> OpenedFile:
    check_readable(path, page, page.axes)
    pixels = page.asarray()
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    pixels = to_rgb(page)(pixels.reshape(*pixels.shape[:2], -1))
    mpp = settle(str(path), mpp_of_tiff(tiff, page))
    return turned(
        path, in_memory(np.ascontiguousarray(pixels), mpp), page.tags.valueof(_ORIENTATION)
    )
