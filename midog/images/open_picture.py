"""PNG, JPEG, BMP, GIF, WebP and JPEG 2000: pictures that are decoded whole, by Pillow."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from midog.errors import ImageError
from midog.images.opened_file import OpenedFile, damaged, decoded_whole, on_white, one_kind_of_error
from midog.images.orientation import turned
from midog.images.pixels import Pixels
from midog.images.stated_mpp import mpp_of_picture
from midog.images.tiff_bounds import check_size
from midog.images.trial import damage_of_jpegs
from midog.mpp import settle

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "JPEG2000")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
_ORIENTATION = 274


def open_picture(path: Path, head: bytes) -> OpenedFile:
    """Open a picture; it is turned as its orientation tag says.

    Args:
        path: the file.
        head: its first 32 bytes.

    Raises:
        ImageError: for an animation, and for pixels other than 8-bit grey, palette, RGB or RGBA.
    """
    with _opened(path) as picture:
        check_size(path, *picture.size, path.stat().st_size)
        if (count := getattr(picture, "n_frames", 1)) > 1 and picture.format != "MPO":
            raise ImageError(f"{path} holds {count} pictures", "save the one that is meant as PNG")
        # The bit depth is byte 24 of a PNG; Pillow would cut 16 bits to 8 without a word.
        kind = "16-bit" if picture.format == "PNG" and head[24] > 8 else picture.mode
        if kind not in _MODES:
            raise ImageError(f"{path} has {kind} pixels", "convert it to 8-bit RGB")
        mpp = settle(str(path), mpp_of_picture(picture))
        file = decoded_whole(picture.size, mpp, lambda: _decode(path))
        return turned(path, file, _orientation(picture))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():  # of half the size that is refused
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=_FORMATS) as picture:
            yield picture


def _orientation(picture: Image.Image) -> object:
    """The orientation tag; None without one, or where what holds it is damaged."""
    with contextlib.suppress(Exception):
        return picture.getexif().get(_ORIENTATION)
    return None


def _decode(path: Path) -> Pixels:
    with one_kind_of_error(path), _opened(path) as picture:
        pixels = on_white(picture.convert("RGBA"))
        jpeg = picture.format in ("JPEG", "MPO")
    if jpeg and (damage := damage_of_jpegs(path, [(0, path.stat().st_size)])):
        raise damaged(path, damage)
    return pixels
