"""Open any image file: what it is, and who reads it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import openslide
from PIL import UnidentifiedImageError

from midog.errors import ImageError
from midog.images.dicom import is_dicom, slide_in
from midog.images.open_mha import is_mha, open_mha
from midog.images.open_picture import open_picture
from midog.images.open_slide import open_slide, vendor_of
from midog.images.open_tiff import open_tiff
from midog.images.opened_file import OpenedFile, one_kind_of_error
from midog.images.tiff_bounds import check_tiff

_NOT_READ = {
    b"ZISRAWFILE": "a Zeiss CZI slide",
    b"\xd0\xcf\x11\xe0": "an OLE file, such as ZVI or OIB",
    b"\x89HDF": "an HDF5 file",
    b"\xda\xce\xbe\x0a": "a Nikon ND2 file",
    b"8BPS": "a Photoshop picture",
    b"gimp xcf": "a GIMP picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"%PDF": "a PDF document",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"SQLite format 3": "an SQLite database",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"P5": "a PGM picture",
    b"P6": "a PPM picture",
    b"SIMPLE  =": "a FITS file",
    b"version https://git-lfs": "a Git LFS pointer and not the file",
}
"""Kinds of files by their first bytes."""

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_file(path: Path) -> OpenedFile:
    """Open a slide, a TIFF or a picture, whatever its name ends in, or a folder of one DICOM slide.

    Raises:
        ImageError: as `midog.images.image.open_image`.
    """
    path = _dicom_in(path) or path
    head = _head_of(path)
    with one_kind_of_error(path):
        if head[:4] in _TIFF_MAGIC:
            check_tiff(path)
            return open_tiff(path)
        if is_mha(path, head):
            return open_mha(path)
        if vendor_of(path):
            return open_slide(path)
        with _named_kind(path, head):
            return open_picture(path, head)


def _dicom_in(path: Path) -> Path | None:
    """A file of the DICOM slide that a folder is; None for all else."""
    try:
        return slide_in(path) if path.is_dir() else None
    except OSError:
        return None


@contextlib.contextmanager
def _named_kind(path: Path, head: bytes) -> Iterator[None]:
    """Name the kind of a file that nobody reads here."""
    try:
        yield
    except UnidentifiedImageError:
        kind = next((kind for magic, kind in _NOT_READ.items() if head.startswith(magic)), None)
        if is_dicom(path):
            kind = f"a DICOM file that OpenSlide {openslide.__library_version__} takes for no slide"
        elif head[4:8] == b"ftyp":
            kind = "a HEIC or AVIF picture"
        if kind is None:
            raise
        raise ImageError(f"{path} is {kind}, which is not read", "convert it to TIFF") from None


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
