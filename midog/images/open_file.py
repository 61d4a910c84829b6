"""Open any image file: what it is, and who reads it."""

from __future__ import annotations

from pathlib import Path

from midog.errors import ImageError
from midog.images.open_picture import open_picture
from midog.images.open_slide import open_slide, vendor_of
from midog.images.open_tiff import open_tiff
from midog.images.opened_file import OpenedFile, one_kind_of_error
from midog.images.tiff_bounds import check_tiff

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_file(path: Path) -> OpenedFile:
    """Open a slide, a TIFF or a picture, whatever its name ends in.

    Raises:
        ImageError: as `midog.images.image.open_image`.
    """
    head = _head_of(path)
    with one_kind_of_error(path):
        if head[:4] in _TIFF_MAGIC:
            check_tiff(path)
            return open_tiff(path)
        if vendor_of(path):
            return open_slide(path)
        return open_picture(path, head)


def _head_of(path: Path) -> bytes:
    """The first bytes of a file; ImageError where it is missing, empty or not a file."""
    try:
        if not path.exists():
            raise ImageError(f"no image file {path}", "check the path")
        if path.is_dir():
            raise ImageError(f"{path} is a folder", "give an image file")
        if not path.is_file():  # a pipe or a device: to open it could block for ever
            raise ImageError(f"{path} is a pipe or a device", "give an image file")
        with path.open("rb") as file:
            head = file.read(32)
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"{path} cannot be read ({reason})", "check its name, its permissions and its disk"
        ) from error
    if not head:
        raise ImageError(f"{path} is empty", "copy or download it again")
    return head
