"""Open any image file: what it is, and who reads it; PNG and JPEG are read here."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from midog.errors import ImageError
from midog.images.open_slide import open_slide, vendor_of
from midog.images.open_tiff import open_tiff
from midog.images.opened_file import OpenedFile, decoded_whole, on_white, one_kind_of_error
from midog.images.pixels import Pixels
from midog.images.stated_mpp import mpp_of_dpi

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_file(path: Path) -> OpenedFile:
    """Open a slide, TIFF, PNG or JPEG, whatever its name ends in.

    Raises:
        ImageError: as `midog.images.image.open_image`.
    """
    head = _head_of(path)
    with one_kind_of_error(path):
        if head[:4] in _TIFF_MAGIC:
            return open_tiff(path)
        if vendor_of(path):
            return open_slide(path)
        return _open_picture(path, head)


def _head_of(path: Path) -> bytes:
    """The first bytes of a file; ImageError where it is missing, empty or not a file."""
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except FileNotFoundError:
        raise ImageError(f"no image file {path}", "check the path") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder", "give an image file") from None
    except OSError as error:
        raise ImageError(
            f"{path} cannot be read ({error.strerror})", "check its permissions and its disk"
        ) from error
    if not head:
        raise ImageError(f"{path} is empty", "copy or download it again")
    return head


def _open_picture(path: Path, head: bytes) -> OpenedFile:
    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        # The bit depth is byte 24 of a PNG; Pillow would cut 16 bits to 8 without a word.
        kind = "16-bit" if picture.format == "PNG" and head[24] > 8 else picture.mode
        if kind not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            raise ImageError(f"{path} has {kind} pixels", "convert it to 8-bit RGB")
        mpp = mpp_of_dpi(path, picture.info.get("dpi", ()))
        return decoded_whole(picture.size, mpp, lambda: _decode_picture(path))


def _decode_picture(path: Path) -> Pixels:
    with one_kind_of_error(path), Image.open(path, formats=("PNG", "JPEG")) as picture:
        return on_white(picture.convert("RGBA"))
