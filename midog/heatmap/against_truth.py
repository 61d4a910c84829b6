"""A heat map against the truth of its slide: which px count, and the picture of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midog.heatmap.heat_map import HeatMap
from midog.heatmap.map_pictures import (
    RATE_COLOURS,
    Panel,
    coloured,
    on_picture,
    outline,
    slide_picture,
    write_panels,
)
from midog.images.image import SlideImage
from midog.images.pixels import Pixels
from midog.metrics.pixel_counts import PixelCounts
from midog.metrics.points import Values
from midog.tumour.truth import SlideTruth

_POINTS = 4  # along a side of a px of the map, at which the truth is looked at
_BAND = 128  # rows of the map at a time
_SIDE_PX = 900  # of a picture of the three


@dataclass(frozen=True, eq=False)
class MapTruth:
    """What the px of a map are, and which of them count.

    positive: (h, w) bool, at least half of it is tumour. counted: (h, w) bool, it was looked at or
    is tumour; tumour that was not looked at is missed, with a probability of 0.
    """

    positive: NDArray[np.bool_]
    counted: NDArray[np.bool_]

    @classmethod
    def of(cls, heat_map: HeatMap, truth: SlideTruth) -> MapTruth:
        """Look up the truth of the px of a map."""
        positive = tumour_of_px(heat_map, truth)
        return cls(positive, heat_map.looked_at | positive)

    def counts(self, heat_map: HeatMap, threshold: float | None = None) -> PixelCounts:
        """Count px at a threshold; None: the map's own."""
        taken = heat_map.over(threshold)
        return PixelCounts.of(taken[self.counted], self.positive[self.counted])

    def scored(self, heat_map: HeatMap) -> tuple[Values, NDArray[np.bool_]]:
        """The values of the px that count, (N,) float64 in [0, 1], and which are tumour."""
        values = heat_map.values[self.counted].astype(np.float64)
        return np.nan_to_num(values, nan=0.0), self.positive[self.counted]


def tumour_of_px(heat_map: HeatMap, truth: SlideTruth) -> NDArray[np.bool_]:
    """Tell which px of a map are tumour: at least half of 16 points or more in each.

    Args:
        heat_map: Of the slide.
        truth: Of the slide.

    Returns:
        (h, w) bool.
    """
    height, width = heat_map.values.shape
    across, down = (1 / own for own in heat_map.scale)
    step = max(1.0, min(across, down) / _POINTS)
    left, right = _spans(np.arange(width), across / step)
    positive = np.zeros((height, width), bool)
    for first in range(0, height, _BAND):
        rows = np.arange(first, min(first + _BAND, height))
        top, bottom = _spans(rows, down / step)
        start = int(top[0])
        mask = truth.mask(0, start, int(right[-1]), int(bottom[-1]) - start, step)
        sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
        np.cumsum(mask, axis=0, out=sums[1:, 1:])
        np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
        upper, lower = sums[top - start], sums[bottom - start]
        inside = lower[:, right] - lower[:, left] - upper[:, right] + upper[:, left]
        positive[rows] = 2 * inside >= np.outer(bottom - top, right - left)
    return positive


def _spans(
    numbers: NDArray[np.int64], points: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First point of some px of a map along an axis and their ends; at least one point of each."""
    first = np.floor(numbers * points + 0.5).astype(np.int64)
    end = np.floor((numbers + 1) * points + 0.5).astype(np.int64)
    return first, np.maximum(end, first + 1)


def write_triptych(
    path: Path,
    heat_map: HeatMap,
    image: SlideImage,
    truth: MapTruth,
    *,
    threshold: float | None = None,
) -> None:
    """Write slide, truth and prediction beside each other, with the rates of px below, as PNG.

    Args:
        path: The file to replace; missing folders on the way are made.
        heat_map: Of the image.
        image: Open.
        truth: Of the map.
        threshold: In [0, 1]; None: the map's own.

    Raises:
        DetectionsError: It cannot be written.
        ImageError: Pixels cannot be read.
    """
    least = heat_map.threshold if threshold is None else threshold
    ground = slide_picture(image, _SIDE_PX)
    counts = truth.counts(heat_map, least)
    panels = [
        Panel("slide", ground),
        Panel(f"truth: {heat_map.name}", _outlined(ground, heat_map, truth.positive)),
        Panel("probability, with truth outlined", _probability(ground, heat_map, truth)),
        Panel(f"at {least:.3f} or more", rate_picture(ground, heat_map, truth, least)),
    ]
    write_panels(path, panels, rate_words(counts))


def rate_words(counts: PixelCounts) -> list[str]:
    """The rates of px in two lines."""
    rates = (
        ("TP", counts.recall, "green"),
        ("FN", counts.false_negative_rate, "amber"),
        ("TN", counts.specificity, "grey"),
        ("FP", counts.false_positive_rate, "red"),
    )
    shown = ", ".join(f"{name} {_percent(rate)} ({colour})" for name, rate, colour in rates)
    return [
        f"{shown}; accuracy {_percent(counts.accuracy)}",
        f"precision {_percent(counts.precision)} at recall {_percent(counts.recall)}, Dice"
        f" {_percent(counts.dice)}; {_percent(counts.prevalence)} of {counts.pixels:,} px looked"
        " at are positive",
    ]


def rate_picture(ground: Pixels, heat_map: HeatMap, truth: MapTruth, threshold: float) -> Pixels:
    """Colour the px of a picture of the slide by RATE_COLOURS; those that do not count stay."""
    taken = heat_map.over(threshold)
    cells = {
        "TP": taken & truth.positive,
        "FP": taken & ~truth.positive,
        "FN": ~taken & truth.positive,
        "TN": ~taken & ~truth.positive,
    }
    picture = ground.astype(np.float64)
    for name, cell in cells.items():
        shown = on_picture(cell & truth.counted, heat_map, ground.shape[:2]).astype(bool)
        picture[shown] = 0.35 * picture[shown] + 0.65 * np.array(RATE_COLOURS[name])
    return np.asarray(picture.round(), np.uint8)


def _outlined(ground: Pixels, heat_map: HeatMap, chosen: NDArray[np.bool_]) -> Pixels:
    shown = on_picture(chosen, heat_map, ground.shape[:2]).astype(bool)
    picture = ground.astype(np.float64)
    picture[shown] = 0.6 * picture[shown] + 0.4 * np.array(RATE_COLOURS["TP"])
    picture[outline(shown)] = RATE_COLOURS["TP"]
    return np.asarray(picture.round(), np.uint8)


def _probability(ground: Pixels, heat_map: HeatMap, truth: MapTruth) -> Pixels:
    picture = coloured(ground, heat_map)
    shown = on_picture(truth.positive, heat_map, ground.shape[:2]).astype(bool)
    picture[outline(shown)] = 255
    return picture


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"
