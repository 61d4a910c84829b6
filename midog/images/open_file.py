"""What a slide, TIFF, PNG or JPEG holds: size, mpp, and a way to its pixels; bad files named in one
line."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openslide
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from midog.errors import ImageError
from midog.images.tiff_mapped import AnyPixels, crop_into, map_page
from midog.images.tiff_segments import Segments, has_segments

logger = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]


_MPP_RANGE = (
    0.05,
    10.0,
)  # what a microscope can have; 72 dpi, a default that says nothing, would be 353 um/px
_UM_PER_TIFF_UNIT = {2: 25400.0, 3: 10000.0}  # ResolutionUnit of TIFF 6.0: inch, centimetre
_UM_PER_OME_UNIT = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LOSSLESS = (
    1,
    5,
    8,
    32773,
    32946,
)  # none, LZW, deflate, PackBits: as by OpenSlide, but sooner (of JPEG it alone tells damage)


@dataclass(frozen=True)
class Source:
    """What a file holds, and how to have it.

    size: (width, height), level-0 px. mpp: um/px, None where the file does not say.
    read_into: (x, y, out) copies the region at x, y of the size of `out` (height, width, 3) uint8
    RGB, wholly inside the image, into `out`; from any thread. mapped: all the pixels, where they
    lie in the file as they are.
    """

    size: tuple[int, int]
    mpp: float | None
    read_into: Callable[[int, int, Pixels], None]
    close: Callable[[], None]
    mapped: AnyPixels | None = None


def open_source(path: Path) -> Source:
    """The source of any image that `midog.images.image.open_image` opens; raises ImageError as it
    does."""
    head = head_of(path)
    with _readable(path):
        if head[:4] in _TIFF_MAGIC:
            return _open_tiff(path)
        if openslide.OpenSlide.detect_format(path):
            return _open_slide(path)
        return _open_picture(path, head)


def head_of(path: Path) -> bytes:
    """The first bytes of a file that is there and not empty."""
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


def whole(size: tuple[int, int], mpp: float | None, load: Callable[[], Pixels]) -> Source:
    """Pixels that can only be had as a whole: `load` is called on first use, by one thread."""
    lock = threading.Lock()
    loaded: list[Pixels] = []

    def read_into(x: int, y: int, out: Pixels) -> None:
        with lock:
            if not loaded:
                loaded.append(load())
            pixels = loaded[0]
        crop_into(pixels, x, y, out)

    return Source(size, mpp, read_into, loaded.clear)


@functools.cache
def warn_once(message: str) -> None:
    logger.warning("%s", message)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Decoders throw anything at a damaged file; users get one ImageError."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not an image", "give a slide, TIFF, PNG or JPEG") from None
    except (MemoryError, Image.DecompressionBombError):
        raise ImageError(
            f"{path} is too large to decode at once", "convert it to a tiled 8-bit RGB TIFF"
        ) from None
    except Exception as error:
        raise ImageError(f"{path} cannot be read ({error})", "copy or download it again") from error


def _open_slide(path: Path, otherwise_mpp: float | None = None) -> Source:
    """Regions straight from the file: OpenSlide is thread-safe and keeps tiles that it decoded."""
    slide = openslide.OpenSlide(path)
    stated = [slide.properties.get(f"openslide.mpp-{axis}") for axis in "xy"]

    def read_into(x: int, y: int, out: Pixels) -> None:
        with _readable(path):
            out[:] = _on_white(slide.read_region((x, y), 0, (out.shape[1], out.shape[0])))

    return Source(
        slide.dimensions, _settle_mpp(path, *stated) or otherwise_mpp, read_into, slide.close
    )


def _open_tiff(path: Path) -> Source:
    vendor = openslide.OpenSlide.detect_format(path)
    with tifffile.TiffFile(path) as tiff:
        _check_complete(path, tiff)
        mpp = _tiff_mpp(path, tiff)
        if vendor not in (None, "generic-tiff"):
            return _open_slide(path, mpp)
        page, slide = tiff.series[0].keyframe, None
        _check_layout(path, page, tiff.series[0].axes)
        if vendor and page.samplesperpixel != 4:
            with contextlib.suppress(
                openslide.OpenSlideError
            ):  # JPEG 2000, WebP: only tifffile knows them
                slide = _open_slide(path, mpp)
        size = page.imagewidth, page.imagelength
        if slide and (slide.size != size or page.compression not in _LOSSLESS):
            return slide
        ours = _open_page(path, tiff, slide.mpp if slide else mpp)
    if slide and ours:
        slide.close()
    return ours or slide or whole(size, mpp, lambda: _decode_tiff(path))


def _open_page(path: Path, tiff: Any, mpp: float | None) -> Source | None:
    """The first image of a TIFF, mapped or by its strips or tiles; None where it can only be had as
    a whole."""
    page, pages = tiff.series[0].keyframe, tiff.series[0].pages
    if len(pages) != 1 or pages[0] is not page or page.parent is not tiff:
        return None
    size = page.imagewidth, page.imagelength
    mapped = map_page(path, page)
    if mapped is not None:
        return Source(size, mpp, functools.partial(crop_into, mapped), lambda: None, mapped)
    if not has_segments(page):
        return None
    segments = Segments(path, page, functools.partial(_to_rgb, page.photometric, page.extrasamples))

    def read_into(x: int, y: int, out: Pixels) -> None:
        with _readable(path):
            segments.read_into(x, y, out)

    return Source(size, mpp, read_into, segments.close)


def _open_picture(path: Path, head: bytes) -> Source:
    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        # The bit depth is byte 24 of a PNG; Pillow would cut 16 bits to 8 without a word.
        kind = "16-bit" if picture.format == "PNG" and head[24] > 8 else picture.mode
        if kind not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            raise ImageError(f"{path} has {kind} pixels", "convert it to 8-bit RGB")
        stated = [25400 / float(dpi) for dpi in picture.info.get("dpi", ()) if dpi]
        mpp = _settle_mpp(path, *stated) if len(stated) == 2 else None
        return whole(picture.size, mpp, lambda: _decode_picture(path))


def _decode_picture(path: Path) -> Pixels:
    with _readable(path), Image.open(path, formats=("PNG", "JPEG")) as picture:
        return _on_white(picture.convert("RGBA"))


def _decode_tiff(path: Path) -> Pixels:
    with _readable(path), tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        page, pixels = series.keyframe, series.asarray()
        if series.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, 2)
        return _to_rgb(page.photometric, page.extrasamples, pixels.reshape(*pixels.shape[:2], -1))


def _to_rgb(photometric: int, extrasamples: tuple[int, ...], pixels: Pixels) -> Pixels:
    """(H, W, samples) of a TIFF -> (H, W, 3) RGB, what is transparent over white."""
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = 255 - pixels
    if extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,):
        return _on_white(Image.fromarray(pixels))
    if extrasamples == (
        tifffile.EXTRASAMPLE.ASSOCALPHA,
    ):  # colours that are multiplied by alpha already
        white = 255 - pixels[..., 3:].astype(np.uint16)
        return np.asarray(np.minimum(pixels[..., :3] + white, 255), np.uint8)
    return (
        np.broadcast_to(pixels, (*pixels.shape[:2], 3)) if pixels.shape[2] == 1 else pixels[..., :3]
    )


def _on_white(picture: Image.Image) -> Pixels:
    """RGBA -> (H, W, 3) RGB, what is transparent over white."""
    if picture.getchannel("A").getextrema() == (255, 255):
        return np.asarray(picture.convert("RGB"))
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return np.asarray(white)


def _check_complete(path: Path, tiff: Any) -> None:
    """Decoders fill in for what a file cut short lacks, so that half a slide would pass as grey or
    black."""
    size = path.stat().st_size
    for page in tiff.pages:
        starts, counts = page.dataoffsets, page.databytecounts
        end = max((start + count for start, count in zip(starts, counts, strict=False)), default=0)
        if end > size or len(starts) != len(counts):
            raise ImageError(f"{path} is cut short at {size} bytes", "copy or download it again")


def _check_layout(path: Path, page: Any, axes: str) -> None:
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    channels = {"MINISBLACK": (1,), "MINISWHITE": (1,), "RGB": (3, 4), "YCBCR": (3,)}
    jpeg = page.compression in (tifffile.COMPRESSION.OJPEG, tifffile.COMPRESSION.JPEG)
    if axes not in ("YX", "YXS", "SYX"):
        fault = f"holds several planes (axes {axes})"
    elif page.bitspersample != 8 or page.dtype != np.uint8:
        fault = f"has {page.bitspersample}-bit pixels ({page.dtype})"
    elif page.samplesperpixel not in channels.get(kind, ()) or (kind == "YCBCR" and not jpeg):
        fault = f"has {page.samplesperpixel} channels of kind {kind}"
    else:
        return
    raise ImageError(f"{path} {fault}", "convert it to 8-bit RGB")


def _settle_mpp(path: Path, x: Any, y: Any) -> float | None:
    """Mean of both; None where not stated, not a microscope's, or not square (which leaves it to
    the user)."""
    try:
        sizes = float(x), float(x if y is None else y)
    except (TypeError, ValueError):
        return None
    if not all(_MPP_RANGE[0] <= size <= _MPP_RANGE[1] for size in sizes):
        return None
    if max(sizes) > 1.01 * min(sizes):
        warn_once(f"{path} has pixels of {sizes[0]:g} x {sizes[1]:g} um: its mpp counts as unknown")
        return None
    return sum(sizes) / 2


def _tiff_mpp(path: Path, tiff: Any) -> float | None:
    """From OME-XML, else from the resolution tags."""
    with contextlib.suppress(ElementTree.ParseError, ValueError):
        pixels = ElementTree.fromstring(tiff.ome_metadata or "<none/>").find(".//{*}Pixels")
        stated = {} if pixels is None else pixels.attrib
        units = [
            _UM_PER_OME_UNIT.get(stated.get(f"PhysicalSize{axis}Unit", "µm"), math.nan)
            for axis in "XY"
        ]
        sizes = [float(stated.get(f"PhysicalSize{axis}", "nan")) for axis in "XY"]
        if mpp := _settle_mpp(path, sizes[0] * units[0], sizes[1] * units[1]):
            return mpp
    tags = tiff.pages[0].tags
    unit = _UM_PER_TIFF_UNIT.get(tags.valueof("ResolutionUnit", 2), math.nan)
    counts = [tags.valueof(f"{axis}Resolution", (0, 1)) for axis in "XY"]
    return _settle_mpp(
        path, *(unit * length / count if count else None for count, length in counts)
    )
