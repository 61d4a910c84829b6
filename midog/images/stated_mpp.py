"""The mpp (micrometres per px) that a file states: in OME-XML, resolution tags, dpi, properties."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from midog.images.opened_file import warn_once

_RANGE = (0.05, 10.0)  # of a microscope; 72 dpi, a default that means nothing, would be 353 um/px
_UM_PER_TIFF_UNIT = {2: 25400.0, 3: 10000.0}  # ResolutionUnit of TIFF 6.0: inch, centimetre
_UM_PER_OME_UNIT = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}


def square_mpp(path: Path, x: Any, y: Any) -> float | None:
    """The mpp of a file that states `x` and `y`.

    Args:
        path: the file, for a warning.
        x, y: um/px as numbers or text; None where not stated. y None: as x.

    Returns:
        Their mean; None where x is not stated, one is not in a microscope's range, or the two
        differ by over 1 % (which is warned of: the user must decide).
    """
    try:
        sizes = float(x), float(x if y is None else y)
    except (TypeError, ValueError):
        return None
    if not all(_RANGE[0] <= size <= _RANGE[1] for size in sizes):
        return None
    if max(sizes) > 1.01 * min(sizes):
        warn_once(f"{path} has pixels of {sizes[0]:g} x {sizes[1]:g} um: its mpp counts as unknown")
        return None
    return sum(sizes) / 2


def mpp_of_dpi(path: Path, dpi: tuple[Any, ...]) -> float | None:
    """The mpp of a PNG or JPEG with that dpi in x and y, as Pillow reads them."""
    stated = [25400 / float(value) for value in dpi if value]
    return square_mpp(path, *stated) if len(stated) == 2 else None


def mpp_of_tiff(path: Path, tiff: Any, page: Any) -> float | None:
    """The mpp of a picture of a TIFF: from OME-XML, else from the resolution tags.

    Args:
        path: the file, for a warning.
        tiff: the open file of tifffile's.
        page: the picture's first page; of the OME-XML, that of the picture of its size counts.
    """
    with contextlib.suppress(ElementTree.ParseError, ValueError):
        described = ElementTree.fromstring(tiff.ome_metadata or "<none/>").findall(".//{*}Pixels")
        size = str(page.imagewidth), str(page.imagelength)
        alike = [p for p in described if (p.get("SizeX"), p.get("SizeY")) == size]
        stated = next((pixels.attrib for pixels in alike or described), {})
        units = [
            _UM_PER_OME_UNIT.get(stated.get(f"PhysicalSize{axis}Unit", "µm"), math.nan)
            for axis in "XY"
        ]
        sizes = [float(stated.get(f"PhysicalSize{axis}", "nan")) for axis in "XY"]
        if mpp := square_mpp(path, sizes[0] * units[0], sizes[1] * units[1]):
            return mpp
    tags = page.tags
    unit = _UM_PER_TIFF_UNIT.get(tags.valueof("ResolutionUnit", 2), math.nan)
    counts = [tags.valueof(f"{axis}Resolution", (0, 1)) for axis in "XY"]
    return square_mpp(path, *(unit * length / count if count else None for count, length in counts))
