"""The result of an evaluation of heat maps, as plain JSON types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midog._version import __version__
from midog.json_text import plain
from midog.metrics.bootstrap import Interval
from midog.metrics.lesion_froc import PLACES, LesionFroc
from midog.metrics.pixel_counts import PixelCounts

HEATMAP_SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""

INTERVALS = {
    "pixel_auc": "pixel AUC",
    "pixel_ap": "pixel AP",
    "recall": "recall",
    "precision": "precision",
    "specificity": "specificity",
    "dice": "Dice",
    "froc": "lesion FROC",
    "slide_auc": "slide AUC",
}
"""Keys of the scores that have intervals, with their names in tables."""


@dataclass(frozen=True)
class SlideResult:
    """Scores of one slide.

    name: of the map. truth: where it is from. score: highest value of the map. has_tumour: by the
    truth. auc: of its px, NaN where a class is missing. counts: at the threshold. lesions: number
    that count. hit: of them by any peak. peaks: number. false_positives: of the peaks.
    """

    name: str
    truth: str
    score: float
    has_tumour: bool
    auc: float
    counts: PixelCounts
    lesions: int
    hit: int
    peaks: int
    false_positives: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        own = {key: value for key, value in vars(self).items() if key != "counts"}
        return {**own, **self.counts.to_dict()}


@dataclass(frozen=True, eq=False)
class HeatmapEvaluation:
    """Scores of heat maps.

    maps: their folder or files, for titles. class_name: what they show. threshold: the least value
    that counts. threshold_from: how it was chosen, in words. radius_um: between peaks. least_peak:
    the lowest value of a peak. level, resamples, seed: of the bootstrap over slides. counts: of the
    px of all slides at the threshold. scores: of INTERVALS. froc: of lesions. slides: one by one.
    """

    maps: str
    class_name: str
    threshold: float
    threshold_from: str
    radius_um: float
    least_peak: float
    level: float
    resamples: int
    seed: int
    counts: PixelCounts
    scores: Mapping[str, Interval]
    froc: LesionFroc
    slides: tuple[SlideResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None; docs/heatmaps.md describes the keys."""
        tree: dict[str, Any] = plain(
            {
                "schema_version": HEATMAP_SCHEMA_VERSION,
                "midog": __version__,
                "maps": self.maps,
                "class": self.class_name,
                "threshold": self.threshold,
                "threshold_from": self.threshold_from,
                "peaks": {"radius_um": self.radius_um, "least": self.least_peak},
                "bootstrap": {
                    "unit": "slide",
                    "level": self.level,
                    "resamples": self.resamples,
                    "seed": self.seed,
                },
                "pixels": self.counts.to_dict(),
                "scores": {key: one.value for key, one in self.scores.items()},
                "intervals": {key: [one.low, one.high] for key, one in self.scores.items()}
                if self.resamples
                else {},
                "froc": {
                    "score": self.froc.score,
                    "lesions": self.froc.lesions,
                    "slides": self.froc.slides,
                    "at": dict(zip(map(str, PLACES), self.froc.sensitivities, strict=True)),
                    "fp_per_slide": self.froc.fp_per_slide,
                    "sensitivity": self.froc.sensitivity,
                },
                "slides": [slide.to_dict() for slide in self.slides],
            }
        )
        return tree
