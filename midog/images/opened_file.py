"""What every opened image file gives: its levels, its mpp, and one kind of error."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from midog.errors import ImageError
from midog.images.pixels import Pixels
from midog.images.tiff_mapped import AnyPixels, crop_into
from midog.mpp import StatedMpp

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Level:
    """One resolution of an image file.

    size: (width, height), px of this level.
    downsample: px of level 0 for a px of this level, mean of x and y; 1 for level 0.
    read_into: (x, y, out) copies the region at x, y (px of this level) of the size of `out`
        (height, width, 3) uint8 RGB, wholly inside the level, into `out`; from any thread.
    tile: (width, height), px: the parts in which it is stored, each of which may be damaged; None
        where it is decoded as a whole, or not at all.
    damage_of: names the damage, over which `read_into` passes, of the first of some tiles, given by
        row and column, or gives None where they are sound; None where there is none such.
    """

    size: tuple[int, int]
    downsample: float
    read_into: Callable[[int, int, Pixels], None]
    tile: tuple[int, int] | None = None
    damage_of: Callable[[Sequence[tuple[int, int]]], str | None] | None = None


@dataclass(frozen=True)
class OpenedFile:
    """What a file holds.

    levels: the finest first; there is at least one.
    mpp: what the file states of its micrometres per px of level 0.
    close: closes the file and drops decoded pixels.
    mapped: all of level 0, where it lies uncompressed in the file or in memory.
    damage: looks through all of level 0 for damage over which reading passes, and names it.
    origin: (x, y), px of level 0: the corner of the bounds outside of which a slide has no pixels,
        where the file states them; QuPath counts from it. (0, 0) without bounds.
    """

    levels: tuple[Level, ...]
    mpp: StatedMpp
    close: Callable[[], None]
    mapped: AnyPixels | None = None
    damage: Callable[[], str | None] = lambda: None
    origin: tuple[int, int] = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0, px."""
        return self.levels[0].size


def in_memory(pixels: AnyPixels, mpp: StatedMpp) -> OpenedFile:
    """Pixels that are in memory or mapped, as a file of one level."""
    size = pixels.shape[1], pixels.shape[0]
    level = Level(size, 1.0, functools.partial(crop_into, pixels))
    return OpenedFile((level,), mpp, lambda: None, pixels)


def decoded_whole(
    size: tuple[int, int], mpp: StatedMpp, decode: Callable[[], Pixels]
) -> OpenedFile:
    """A file of one level that can only be decoded as a whole.

    Args:
        size: (width, height), px.
        mpp: what the file states.
        decode: makes (height, width, 3) uint8 RGB; called on the first reading, by one thread.
    """
    lock = threading.Lock()
    decoded: list[Pixels] = []

    def read_into(x: int, y: int, out: Pixels) -> None:
        with lock:
            if not decoded:
                decoded.append(decode())
            pixels = decoded[0]
        crop_into(pixels, x, y, out)

    return OpenedFile((Level(size, 1.0, read_into),), mpp, decoded.clear)


def downsample_of(size: tuple[int, int], level_0: tuple[int, int]) -> float:
    """Px of level 0 for a px of a level, mean of x and y; both sizes are (width, height) in px."""
    return (level_0[0] / size[0] + level_0[1] / size[1]) / 2


@contextlib.contextmanager
def one_kind_of_error(path: Path) -> Iterator[None]:
    """Turn whatever a decoder throws at a damaged file into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"{path} is not an image", "give a slide, a TIFF, or a picture such as PNG"
        ) from None
    except (MemoryError, Image.DecompressionBombError):
        raise ImageError(
            f"{path} is too large to decode at once", "convert it to a tiled 8-bit RGB TIFF"
        ) from None
    except Exception as error:
        raise ImageError(f"{path} cannot be read ({error})", "copy or download it again") from error


def damaged(path: Path, damage: str) -> ImageError:
    """The error for a picture of which a decoder makes something, but warns."""
    fix = "copy or download it again; if it looks whole in a viewer, save it anew"
    return ImageError(f"{path} is damaged ({damage})", fix)


def on_white(picture: Image.Image) -> Pixels:
    """The RGB (height, width, 3) of an RGBA picture over white."""
    if picture.getchannel("A").getextrema() == (255, 255):
        return np.asarray(picture.convert("RGB"))
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return np.asarray(white)


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, the same one only once in a process."""
    logger.warning("%s", message)
