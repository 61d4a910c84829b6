"""A heat map as a tiled pyramidal TIFF with um/px, written and read back."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile

from midog._version import __version__
from midog.boxes import FloatArray
from midog.errors import DetectionsError, MidogError
from midog.files import check_regular, replacing
from midog.heatmap.heat_map import HeatMap
from midog.json_text import checked, parse_json
from midog.mpp import Mpp

_TILE = 256
_MOST_PX = 1 << 28
_KIND = "midog heat map"
_FIX = "make it with `midog heatmap`"


@dataclass(frozen=True)
class _Facts:
    """What the description of the first page states, beside the values."""

    kind: str
    version: str
    scale: tuple[float, float]
    size: tuple[int, int]
    mpp: tuple[float, float]
    name: str
    threshold: float
    threshold_from: str


def write_map(path: Path, heat_map: HeatMap) -> None:
    """Write a map as TIFF.

    Level 0 is the map itself, float32 with NaN where nothing was looked at; each further level is
    half as wide and high, the mean of what was looked at, down to one tile. Levels follow each
    other as reduced images, as libvips and OpenSlide have them, in tiles of 256 px, deflated, each
    with its own resolution. Equal maps give equal bytes.

    Args:
        path: The file to replace; missing folders on the way are made.
        heat_map: The map.

    Raises:
        DetectionsError: It cannot be written.
    """
    facts = _Facts(
        _KIND,
        __version__,
        heat_map.scale,
        heat_map.size,
        (heat_map.mpp.x, heat_map.mpp.y),
        heat_map.name,
        heat_map.threshold,
        heat_map.threshold_from,
    )
    level, mpp = heat_map.values, heat_map.map_mpp
    with (
        replacing(path, DetectionsError, parents=True) as part,
        tifffile.TiffWriter(part, bigtiff=level.nbytes > 1 << 30) as tiff,
    ):
        first = True
        while True:
            tiff.write(
                level,
                tile=(_TILE, _TILE),
                photometric="minisblack",
                compression="adobe_deflate",
                predictor=True,
                subfiletype=0 if first else 1,
                resolution=(1e4 / mpp.x, 1e4 / mpp.y),
                resolutionunit="CENTIMETER",
                description=json.dumps(asdict(facts)) if first else None,
                software=f"midog {__version__}",
                metadata=None,
            )
            if max(level.shape) <= _TILE:
                break
            level, mpp, first = _halved(level), Mpp(mpp.x * 2, mpp.y * 2), False


def read_map(path: Path) -> HeatMap:
    """Read a map that `write_map` wrote.

    Raises:
        DetectionsError: The file cannot be read, is no heat map of midog, or is damaged.
    """
    try:
        check_regular(path)
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            facts = _facts_in(str(getattr(page, "description", "")), path)
            height, width = page.shape if len(page.shape) == 2 else (0, 0)
            _require_fit(facts, (width, height), path)
            values = np.asarray(page.asarray(), np.float32)
    except MidogError:
        raise
    except OSError as error:
        raise DetectionsError(f"{path} cannot be read: {error.strerror or error}", _FIX) from None
    except Exception as error:  # whatever a decoder throws at a damaged file
        raise DetectionsError(f"{path} is damaged or no heat map ({error})", _FIX) from None
    with np.errstate(invalid="ignore"):
        wrong = ~np.isnan(values) & ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise DetectionsError(f"{path} is damaged: values are not from 0 to 1", _FIX)
    return HeatMap(
        values,
        facts.scale,
        facts.size,
        Mpp(*facts.mpp),
        facts.name,
        facts.threshold,
        facts.threshold_from,
    )


def _facts_in(text: str, path: Path) -> _Facts:
    if _KIND not in text:
        raise DetectionsError(f"{path} is no heat map of midog", _FIX)
    where = f"the description of {path}"
    return checked(parse_json(text, where, DetectionsError, _FIX), _Facts, where, DetectionsError)


def _require_fit(facts: _Facts, shape: tuple[int, int], path: Path) -> None:
    """Check that a map (width, height) is as large as its description says."""
    numbers = (*facts.scale, *facts.mpp, *facts.size)
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise DetectionsError(f"{path}: sizes and scales must be positive", _FIX)
    expected = [
        math.ceil(side * own - 1e-6) for side, own in zip(facts.size, facts.scale, strict=True)
    ]
    # a last px of the resampled image may begin a px of the map
    fits = all(0 <= own - wanted <= 1 for own, wanted in zip(shape, expected, strict=True))
    if not fits or math.prod(shape) > _MOST_PX:
        raise DetectionsError(
            f"{path} has {shape[0]} x {shape[1]} px, for a slide of {facts.size[0]} x"
            f" {facts.size[1]} px at {facts.scale[0]:.3g}",
            _FIX,
        )
    if not 0 <= facts.threshold <= 1:
        raise DetectionsError(f"{path}: threshold {facts.threshold} is no probability", _FIX)


def _halved(level: FloatArray) -> FloatArray:
    """Means of 2 x 2 px, of those that have a value."""
    height, width = level.shape
    padded = np.pad(level, ((0, height % 2), (0, width % 2)), constant_values=np.nan)
    quads = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of px without any
        return np.asarray(np.nanmean(quads, axis=(1, 3)), np.float32)
