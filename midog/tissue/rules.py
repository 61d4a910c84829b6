"""RULES: how a px at low power is told to be tissue or glass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.errors import ImageError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEAST_OTSU, MOST_OTSU = 0.04, 0.08
"""Otsu's threshold is kept in this range of saturation: glass of a white-balanced scanner has 0 to
0.03, pale stroma about 0.1. Where an image is all glass or all tissue, Otsu would split that."""


@dataclass(frozen=True)
class Rule:
    """A rule.

    words: of it, for help and records.
    tissue: Takes saturation and grey of px, (h, w) float32 in [0, 1], and which of them count for
        a threshold, (h, w) bool; returns which are tissue, and the threshold that was applied.
    """

    words: str
    tissue: Callable[[Floats, Floats, Mask], tuple[Mask, float]]


def _otsu(saturation: Floats, grey: Floats, counting: Mask) -> tuple[Mask, float]:
    threshold = otsu_threshold(saturation[counting])
    threshold = min(max(threshold, LEAST_OTSU), MOST_OTSU)
    return saturation >= threshold, threshold


def _saturation(saturation: Floats, grey: Floats, counting: Mask) -> tuple[Mask, float]:
    return saturation >= np.float32(0.07), 0.07


def _grey(saturation: Floats, grey: Floats, counting: Mask) -> tuple[Mask, float]:
    return grey <= np.float32(0.8), 0.8


RULES: dict[str, Rule] = {
    "otsu": Rule(
        f"saturation over Otsu's threshold, kept within {LEAST_OTSU} and {MOST_OTSU}", _otsu
    ),
    "saturation": Rule("saturation of at least 0.07", _saturation),
    "grey": Rule("mean of red, green and blue of at most 0.8", _grey),
}
"""By name, as a setting names them."""


def require_rule(name: str) -> Rule:
    """Return a rule by its name.

    Raises:
        ImageError: It is none of RULES.
    """
    if name not in RULES:
        raise ImageError(f"tissue rule {name!r} is unknown", f"choose one of {', '.join(RULES)}")
    return RULES[name]


def otsu_threshold(values: Floats) -> float:
    """Return the threshold that divides values best into two classes (Otsu 1979, in 256 bins).

    Args:
        values: (N,) in [0, 1].

    Returns:
        A bin's upper end: values below it are of the lower class. 0 where there are no values, or
        where all are in one bin.
    """
    counts = np.bincount(np.minimum(values * 256, 255).astype(np.uint8), minlength=256)
    below = np.cumsum(counts, dtype=np.float64)[:-1]
    sums = np.cumsum(counts * np.arange(256), dtype=np.float64)
    total, above = float(counts.sum()), counts.sum() - below
    divided = (below > 0) & (above > 0)
    if not divided.any():
        return 0.0
    between = np.zeros(255)
    spread = sums[-1] * below[divided] - total * sums[:-1][divided]
    between[divided] = spread**2 / (below[divided] * above[divided])
    return (int(between.argmax()) + 1) / 256
