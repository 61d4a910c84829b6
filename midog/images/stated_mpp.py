"""The mpp (micrometres per px) that a file states: in OME-XML, resolution tags, dpi, properties."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from midog.mpp import Statement, as_statement, um_per_unit

_UM_PER_TIFF_UNIT = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}
"""ResolutionUnit: inch and centimetre of TIFF 6.0, millimetre and micrometre of its extensions; 1
is no unit of length."""

_APERIO_MPP = re.compile(r"(?:^|[|\s])MPP\s*=\s*([0-9.,]+(?:[eE][+-]?[0-9]+)?)")
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296  # tags, of EXIF as of TIFF
_DICOM_SPACINGS = (
    "SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing",
    "PixelSpacing",
    "ImagerPixelSpacing",
)


def mpp_of_slide(properties: Mapping[str, str]) -> list[Statement | None]:
    """What the properties of an open slide of OpenSlide's state, the preferred first.

    The power of an objective is no mpp: cameras differ. Of a TIFF that is no scanner's OpenSlide
    knows the resolution tags alone, which `mpp_of_tiff` reads.
    """
    if properties.get("openslide.vendor") == "generic-tiff":
        return []
    own = [properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
    stated = [as_statement("scanner's metadata", *map(_number, own))]
    for name in _DICOM_SPACINGS:  # mm between rows, then between columns
        rows, columns = (_number(properties.get(f"dicom.{name}[{n}]")) for n in (0, 1))
        source = f"DICOM {name.rpartition('.')[2]}"
        stated.append(as_statement(source, columns * 1000, rows * 1000))
    return stated


def mpp_of_tiff(tiff: Any, page: Any) -> list[Statement | None]:
    """What an open file of tifffile's states of one of its pages, the preferred first.

    That is OME-XML, then Aperio's description, then the resolution tags, whose unit ImageJ states
    in its description.
    """
    first = tiff.pages[0]
    texts = [str(own.description or "") for own in ((page,) if page is first else (page, first))]
    return [
        _of_ome(tiff, page),
        next(filter(None, map(_of_aperio, texts)), None),
        _of_resolution(page.tags, next((text for text in texts if _is_imagej(text)), None)),
    ]


def mpp_of_picture(picture: Any) -> list[Statement | None]:
    """What a picture that Pillow opened states, the preferred first: its own header, then EXIF."""
    info, kind = picture.info, str(picture.format)
    if "jfif_density" in info:
        unit = {1: 25400.0, 2: 10000.0}.get(_whole(info.get("jfif_unit", 0)), math.nan)
        own = _density("JFIF density", *_pair(info["jfif_density"]), unit)
    elif kind in ("PNG", "BMP", "DIB", "JPEG2000"):  # of others Pillow takes it from EXIF
        own = _density(f"{kind} resolution", *_pair(info.get("dpi")), 25400.0)
    else:
        own = None
    exif: Mapping[int, Any] = {}
    with contextlib.suppress(Exception):  # damaged EXIF states nothing
        exif = picture.getexif()
    unit = _UM_PER_TIFF_UNIT.get(_whole(exif.get(_RESOLUTION_UNIT, 2)), math.nan)
    counts = exif.get(_X_RESOLUTION), exif.get(_Y_RESOLUTION)
    return [own, _density("EXIF resolution", *counts, unit)]


def _of_ome(tiff: Any, page: Any) -> Statement | None:
    """Of the image in OME-XML that has the page's size, else of the first."""
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "<none/>")
    except (ElementTree.ParseError, ValueError):
        return None
    images = [element.attrib for element in root.iterfind(".//{*}Pixels")]
    size = str(page.imagewidth), str(page.imagelength)
    of_size = [own for own in images if (own.get("SizeX"), own.get("SizeY")) == size]
    own = next(iter(of_size or images), {})
    sides = []
    for axis in "XY":
        unit = um_per_unit(own.get(f"PhysicalSize{axis}Unit", "µm"))
        sides.append(_number(own.get(f"PhysicalSize{axis}")) * (math.nan if unit is None else unit))
    return as_statement("OME-XML", *sides)


def _of_aperio(text: str) -> Statement | None:
    """Of a description such as "... |AppMag = 40|MPP = 0.2500"."""
    match = _APERIO_MPP.search(text)
    mpp = _number(match[1]) if match else math.nan
    return as_statement("Aperio description", mpp, mpp)


def _of_resolution(tags: Any, imagej: str | None) -> Statement | None:
    """Of XResolution and YResolution; imagej: ImageJ's description, which states their unit."""
    counts = tags.valueof("XResolution"), tags.valueof("YResolution")
    unit = _UM_PER_TIFF_UNIT.get(_whole(tags.valueof("ResolutionUnit", 2)), math.nan)
    if imagej is None:
        return _density("TIFF resolution", *counts, unit)
    lines = dict(line.partition("=")[::2] for line in imagej.splitlines())
    if "unit" not in lines:
        return _density("TIFF resolution", *counts, unit)
    units = lines["unit"], lines.get("yunit", lines["unit"])
    sides = [
        _side(count, um_per_unit(own) or math.nan) for count, own in zip(counts, units, strict=True)
    ]
    return as_statement("ImageJ resolution", *sides, is_density=True)


def _is_imagej(text: str) -> bool:
    return text.startswith("ImageJ=")


def _density(source: str, x: Any, y: Any, unit: float) -> Statement | None:
    """Of numbers of px in a unit of that many um."""
    return as_statement(source, _side(x, unit), _side(y, unit), is_density=True)


def _side(count: Any, unit: float) -> float:
    """The side of a px, um, of which `count` lie in a unit of that many um; NaN for no number."""
    if isinstance(count, tuple) and len(count) == 2:
        px, units = map(_number, count)
        return unit * units / px if px else math.nan
    px = _number(count)
    return unit / px if px else math.nan


def _number(value: Any) -> float:
    """A number or its text, with a decimal point or comma; NaN for all else."""
    try:
        return float(value.strip().replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return math.nan


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, tuple) and len(value) == 2 else (None, None)


def _whole(value: Any) -> int:
    """An enumeration or a number as an int; 0, no unit, for all else."""
    return int(value) if isinstance(value, int) else 0
