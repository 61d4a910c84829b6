"""What a threshold is chosen for, and which one that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from midog.errors import ConfigError, DetectionsError
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import Sweep, sweep
from midog.metrics.thresholds import (
    best_threshold,
    highest_precision,
    lowest_fp_rate,
    threshold_at_fp_rate,
    threshold_at_precision,
)


@dataclass(frozen=True)
class Goal:
    """What a threshold is chosen for: the best F1, or the highest recall within one of two limits.

    Attributes:
        precision: The least precision, in (0, 1]; None: no limit.
        fp_per_mm2: The most false positives per mm2, >= 0; None: no limit.

    Raises:
        ConfigError: If both limits are given, or one is out of range.
    """

    precision: float | None = None
    fp_per_mm2: float | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and self.fp_per_mm2 is not None:
            raise ConfigError(
                "precision and false positives per mm2 are two goals",
                "choose {precision} or {fp_per_mm2}",
                {"precision": None, "fp_per_mm2": None},
            )
        if self.precision is not None and not 0 < self.precision <= 1:
            raise ConfigError(
                f"a precision of {self.precision:g} is out of range",
                "choose {precision} over 0, at most 1",
                {"precision": None},
            )
        if self.fp_per_mm2 is not None and not 0 <= self.fp_per_mm2 < math.inf:
            raise ConfigError(
                f"{self.fp_per_mm2:g} false positives per mm2 are out of range",
                "choose {fp_per_mm2} of 0 or more",
                {"fp_per_mm2": None},
            )

    def __str__(self) -> str:
        if self.precision is not None:
            return f"highest recall at a precision of at least {self.precision:g}"
        if self.fp_per_mm2 is not None:
            return f"highest recall at no more than {self.fp_per_mm2:g} false positives per mm2"
        return "best F1"


def choose_threshold(points: Sequence[RoiPoints], area_mm2: float, goal: Goal) -> float:
    """Choose the threshold for a goal.

    Args:
        points: Of the ROIs.
        area_mm2: Of the ROIs together; NaN where it is not known.
        goal: The goal.

    Raises:
        DetectionsError: If there is no figure, no detected figure or no area to choose by, or no
            threshold that detects a figure reaches the goal.
    """
    swept = sweep(points)
    require_figures(swept.figures)
    if not swept.tp[swept.thresholds > 0].any():
        what = "the model detects no mitotic figure of val at any threshold, so none can be chosen"
        raise DetectionsError(what, "train it further, or on data like these")
    if goal.precision is not None:
        return _at_precision(swept, goal.precision)
    if goal.fp_per_mm2 is not None:
        return _at_fp_rate(swept, area_mm2, goal.fp_per_mm2)
    return best_threshold(swept)


def require_figures(number: int) -> None:
    """Require val to have mitotic figures to choose a threshold by.

    Raises:
        DetectionsError: It has none.
    """
    if number == 0:
        raise DetectionsError(
            "no ROI of val has a mitotic figure", "a threshold needs some: use a larger val part"
        )


def _at_precision(swept: Sweep, precision: float) -> float:
    threshold = threshold_at_precision(swept, precision)
    if threshold is None:
        highest = _thousandths(highest_precision(swept), ROUND_FLOOR)
        what = f"no threshold has a precision of {precision:g} on val: the highest is {highest}"
        raise DetectionsError(what, "ask for less")
    return threshold


def _at_fp_rate(swept: Sweep, area_mm2: float, fp_per_mm2: float) -> float:
    if math.isnan(area_mm2):
        raise DetectionsError(
            "the mm2 of an ROI of val are not known",
            "give {mpp}, or a column `mpp` in the split",
            {"mpp": None},
        )
    threshold = threshold_at_fp_rate(swept, area_mm2, fp_per_mm2)
    if threshold is None:
        fewest = _thousandths(lowest_fp_rate(swept, area_mm2), ROUND_CEILING)
        what = (
            f"no threshold that detects a figure of val has at most {fp_per_mm2:g} false positives"
            " per mm2"
        )
        raise DetectionsError(f"{what}: the fewest are {fewest}", "allow more")
    return threshold


def _thousandths(value: float, rounding: str) -> str:
    """Rounded to where the goal can still be reached, so that one can ask for that number."""
    return str(Decimal(value).quantize(Decimal("0.001"), rounding))
