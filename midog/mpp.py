"""Micrometres per px (mpp): type, units, plausible range, and which of several statements holds."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

logger = logging.getLogger(__name__)

LOWEST_MPP, HIGHEST_MPP = 0.05, 5.0
"""Plausible um/px, wherever they are stated: 0.1 with a 100x objective, 5 in an overview."""

MPP_RANGE = f"{LOWEST_MPP:g} to {HIGHEST_MPP:g} um per px"
"""The plausible range, for messages."""

MPP_TOLERANCE = 0.1
"""An image is resampled where its mpp differs from the model's by more than this share."""

Scale = tuple[float, float]
"""Px of the resampled image for a px of level 0, along x and y."""

_SQUARE = 1e-4  # sides of a px that differ by no more are taken as one, their mean
_AGREE = 0.002  # statements that differ by no more agree: 5 um at the far end of 10,000 px of 0.25
_MOST_OBLONG = 4.0  # no scanner's px is that oblong
_PRINT_MPP = 40.0  # 635 dpi

_UNITS = {
    1e6: "m meter metre",
    1e5: "dm decimeter decimetre",
    1e4: "cm centimeter centimetre",
    1e3: "mm millimeter millimetre",
    1.0: "um µm Âµm Î¼m \\u00b5m \\u03bcm micron micrometer micrometre",
    1e-3: "nm nanometer nanometre",
    1e-4: "Å Ã… \\u00c5 \\u212b angstrom ångström ångstrom",
    1e-6: "pm picometer picometre",
    25400.0: 'in inch inches "',
    25400.0 / 72: "pt point",
    25.4: "thou mil",
}
_UM_PER_UNIT = {name.casefold(): um for um, names in _UNITS.items() for name in names.split()}


class Mpp(NamedTuple):
    """Micrometres per px along x and y; equal where px are square."""

    x: float
    y: float

    @classmethod
    def of(cls, x: float, y: float | None = None) -> Mpp:
        """The mpp of px of that width and height, um; None: as high as wide.

        Sides that differ by at most 0.01 % are taken as one, their mean: at the far end of 10,000
        px that moves a point by half a px.
        """
        if y is None or x == y:
            return cls(float(x), float(x))
        if abs(x - y) <= _SQUARE * min(x, y):
            return cls((x + y) / 2, (x + y) / 2)
        return cls(float(x), float(y))

    @property
    def is_square(self) -> bool:
        """Whether px are as high as wide."""
        return self.x == self.y

    @property
    def is_plausible(self) -> bool:
        """Whether both sides are in the plausible range, and their ratio is at most 4."""
        oblong = max(self.x, self.y) > _MOST_OBLONG * min(self.x, self.y)
        return in_range(self.x) and in_range(self.y) and not oblong

    @property
    def plain(self) -> float | tuple[float, float]:
        """A number where px are square, else one along x and one along y."""
        return self.x if self.is_square else (self.x, self.y)

    def agrees_with(self, other: Mpp) -> bool:
        """Whether they differ by at most 0.2 % along both axes, and both or neither are square."""
        if self.is_square != other.is_square:
            return False
        pairs = zip(self, other, strict=True)
        return all(max(pair) <= (1 + _AGREE) * min(pair) for pair in pairs)

    def __str__(self) -> str:
        return f"{self.x:.6g}" if self.is_square else f"{self.x:.6g} x {self.y:.6g}"


@dataclass(frozen=True)
class GivenMpp:
    """um/px with where it is given, for warnings. mpp: a number, or one along x and one along y.
    where: such as "slides.csv line 3"."""

    mpp: float | tuple[float, float]
    where: str


MppLike = float | tuple[float, float] | GivenMpp
"""um/px as a user gives it: a number, or one along x and one along y, maybe with where."""


def as_mpp(value: MppLike | None) -> Mpp | None:
    """An mpp of a number or of two; None stays None."""
    if isinstance(value, GivenMpp):
        value = value.mpp
    if value is None or isinstance(value, Mpp):
        return value
    return Mpp.of(*value) if isinstance(value, tuple) else Mpp.of(value)


@dataclass(frozen=True)
class Statement:
    """What one source of a file states of its mpp.

    source: such as "OME-XML". mpp: any positive values. one_sided: it states one side of a px
    alone. is_density: it states px per inch or the like, as for screens and printers too.
    """

    source: str
    mpp: Mpp
    one_sided: bool = False
    is_density: bool = False

    @property
    def is_of_print(self) -> bool:
        """Whether it is a density of a screen or printer, such as 72, 96 or 300 dpi."""
        return self.is_density and min(self.mpp) >= _PRINT_MPP

    def __str__(self) -> str:
        if self.is_of_print:
            dpi = f"{25400 / self.mpp.x:.6g} dpi ({self.mpp} um per px)"
            return f"its {self.source} states {dpi}, a density of screens or printers"
        return f"its {self.source} states {self.mpp}"


@dataclass(frozen=True)
class StatedMpp:
    """What a file states of its mpp.

    mpp: None where it states none that is plausible. source: of it. refused: the first statement
    that is not plausible, where mpp is None.
    """

    mpp: Mpp | None = None
    source: str = ""
    refused: Statement | None = None

    def swapped(self) -> StatedMpp:
        """Of the picture turned by a quarter: x is y."""
        return self if self.mpp is None else replace(self, mpp=Mpp(self.mpp.y, self.mpp.x))

    @property
    def out_of_range(self) -> Statement | None:
        """What it states that is no microscope's mpp and no density of screens or printers."""
        return None if self.refused is None or self.refused.is_of_print else self.refused


def as_statement(source: str, x: float, y: float, *, is_density: bool = False) -> Statement | None:
    """What a source states, None where it states nothing.

    Args:
        source: such as "OME-XML".
        x, y: um/px; one that is NaN, infinite or not positive is not stated.
        is_density: as of Statement.
    """
    sides = [side for side in (x, y) if math.isfinite(side) and side > 0]
    return Statement(source, Mpp.of(*sides), len(sides) == 1, is_density) if sides else None


def settle(name: str, statements: Sequence[Statement | None]) -> StatedMpp:
    """Settle what holds of several statements of a file: the first that is plausible.

    A statement that does not agree with it is warned of, unless it is a density of screens.

    Args:
        name: the file, for warnings.
        statements: the source to be preferred first; None states nothing.
    """
    made = [own for own in statements if own is not None]
    taken = next((own for own in made if own.mpp.is_plausible), None)
    if taken is None:
        made.sort(key=lambda own: own.is_of_print)  # the others say more
        return StatedMpp(refused=made[0] if made else None)
    for other in made:
        if not other.is_of_print and not other.mpp.agrees_with(taken.mpp):
            warn_once_of(
                f"{taken} {other}",
                "%s: %s um per px, %s: the former is taken",
                name,
                taken,
                other,
            )
    if taken.one_sided:
        text = "%s: %s um per px for one side of its px alone: they are taken as square"
        warn_once_of(f"{taken} one", text, name, taken)
    return StatedMpp(taken.mpp, taken.source)


def in_range(mpp: float) -> bool:
    """Whether um/px are plausible: LOWEST_MPP to HIGHEST_MPP."""
    return LOWEST_MPP <= mpp <= HIGHEST_MPP


def out_of_range(mpp: Mpp, source: str = "") -> str:
    """Say that an mpp is not plausible, and what it may be instead.

    Args:
        mpp: it.
        source: what states it, "" where that is clear.
    """
    x, hint, name = mpp.x, "", f"{mpp} ({source})" if source else f"{mpp}"
    if in_range(x) and in_range(mpp.y):
        return f"{name} is out of range: a side of a px is over {_MOST_OBLONG:g} times the other"
    if in_range(x * 1000):
        hint = f" (in mm? {x * 1000:.6g} um)"
    elif in_range(x / 1000):
        hint = f" (in nm? {x / 1000:.6g} um)"
    elif x in (10, 20, 40, 60, 63, 80, 100):
        hint = " (an objective's power?)"
    return f"{name} is out of range, {MPP_RANGE}{hint}"


def um_per_unit(unit: str) -> float | None:
    """Micrometres of a unit of length, None for any other word ("pixel", "").

    Args:
        unit: as OME-XML, ImageJ and others write it: "µm", "micron", "\\u00B5m", "mm", "Å", "inch".
    """
    words = unit.strip(" \t\r\n\0")
    if words == "Mm":  # a megametre
        return None
    name = words.casefold()
    return _UM_PER_UNIT.get(name, _UM_PER_UNIT.get(name[:-1]) if len(name) > 4 else None)


def scale_for(image_mpp: Mpp, model_mpp: float) -> Scale:
    """Factors by which to resample an image for a model, along x and y.

    Args:
        image_mpp, model_mpp: um/px.

    Returns:
        Their ratios; 1 and 1 where neither they nor the sides of a px differ by over MPP_TOLERANCE.
    """
    x, y = image_mpp.x / model_mpp, image_mpp.y / model_mpp
    most = MPP_TOLERANCE + 1e-9
    if abs(x - 1) <= most and abs(y - 1) <= most and max(x, y) / min(x, y) - 1 <= most:
        return 1.0, 1.0
    return x, y


def both_axes(scale: float | Scale) -> Scale:
    """A scale along x and y, of a number that is both."""
    return scale if isinstance(scale, tuple) else (scale, scale)


def warn_once_of(key: str, text: str, *values: object) -> None:
    """Log a warning once in a process, of the first image of many that are alike.

    Args:
        key: equal for images that are alike.
        text, values: of the warning, as for a logger.
    """
    if _FIRST.setdefault(key, values) is values:
        logger.warning(text + " (so for all such images)", *values)


_FIRST: dict[str, tuple[object, ...]] = {}
