"""Heat maps scored against the truth of their slides: px, lesions and slides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.errors import DataError
from midog.evaluation.heatmap_result import HeatmapEvaluation, SlideResult
from midog.evaluation.scoring import LEVEL, RESAMPLES
from midog.heatmap.against_truth import MapTruth
from midog.heatmap.heat_map import HeatMap
from midog.metrics.bootstrap import interval, weights_in_parts
from midog.metrics.counts import ratios
from midog.metrics.lesion_froc import (
    MASK_UM,
    SlideHits,
    hits_of,
    lesion_froc,
    lesions_of,
    peaks_of,
)
from midog.metrics.pixel_counts import PixelCounts
from midog.metrics.pixel_ranking import (
    PixelRanking,
    Scored,
    best_dice_threshold,
    pixel_auc,
    pixel_average_precision,
    rank_pixels,
)
from midog.metrics.points import Values
from midog.metrics.two_classes import area_under_curve
from midog.tumour.truth import SlideTruth

RADIUS_UM = 192.0
"""Between peaks: 6 px of a map of 32 um/px."""
LEAST_PEAK = 0.05
"""Lower peaks are no detections."""


@dataclass(frozen=True, eq=False)
class ScoredMap:
    """What is kept of a map and its truth: the map itself is not.

    name: of the slide. truth: where it is from. score: of the slide. has_tumour: by the truth.
    pixels: scores of the px that count, and which are tumour. hits: of peaks. peaks: number.
    """

    name: str
    truth: str
    score: float
    has_tumour: bool
    pixels: Scored
    hits: SlideHits
    peaks: int

    @classmethod
    def of(
        cls,
        name: str,
        heat_map: HeatMap,
        truth: SlideTruth,
        *,
        radius_um: float = RADIUS_UM,
        least_peak: float = LEAST_PEAK,
    ) -> ScoredMap:
        """Look up truth and peaks of a map.

        Args:
            name: Of the slide.
            heat_map: Of it.
            truth: Of it.
            radius_um: Around a peak within which there is no other.
            least_peak: Lowest value of a peak, in (0, 1].
        """
        of_map = MapTruth.of(heat_map, truth)
        mpp = heat_map.map_mpp
        rows, columns = peaks_of(
            heat_map.values, (radius_um / mpp.x, radius_um / mpp.y), least_peak
        )
        scores = heat_map.values[rows, columns].astype(np.float64)
        # the challenge's mask has square px of one size, whatever the map
        downsample = max(1.0, MASK_UM / math.sqrt(heat_map.mpp.x * heat_map.mpp.y))
        width, height = (math.ceil(side / downsample) for side in heat_map.size)
        mask = truth.mask(0, 0, width, height, downsample)
        um = downsample * math.sqrt(heat_map.mpp.x * heat_map.mpp.y)
        points = np.stack([columns, rows], axis=1) + 0.5
        points = points / np.array(heat_map.scale) / downsample
        return cls(
            name,
            truth.source,
            heat_map.slide_score,
            truth.has_tumour,
            of_map.scored(heat_map),
            hits_of(lesions_of(mask, um), points, scores),
            len(rows),
        )

    def counts(self, threshold: float) -> PixelCounts:
        """Counts of the px at a threshold."""
        scores, positive = self.pixels
        return PixelCounts.of(scores.astype(np.float32) >= np.float32(threshold), positive)

    def result(self, threshold: float) -> SlideResult:
        """Scores of the slide at a threshold."""
        return SlideResult(
            self.name,
            self.truth,
            self.score,
            self.has_tumour,
            area_under_curve(*self.pixels),
            self.counts(threshold),
            len(self.hits.best),
            int(np.count_nonzero(self.hits.best)),
            self.peaks,
            len(self.hits.false_positives),
        )


def choose_threshold(maps: Iterable[ScoredMap]) -> float:
    """Return the threshold of highest Dice over the px of maps, as of valid.

    Raises:
        DataError: No px of them is tumour.
    """
    threshold = best_dice_threshold([own.pixels for own in maps])
    if math.isnan(threshold):
        raise DataError(
            "none of the slides that the threshold is chosen on has tumour",
            "choose it on slides with tumour, or give {threshold}",
            {"threshold": None},
        )
    return threshold


def evaluate_heatmaps(
    maps: Sequence[ScoredMap],
    *,
    threshold: float,
    class_name: str,
    resamples: int = RESAMPLES,
    seed: int = 0,
    radius_um: float = RADIUS_UM,
    least_peak: float = LEAST_PEAK,
    about: Mapping[str, str] | None = None,
) -> HeatmapEvaluation:
    """Score maps together, with intervals over slides.

    Args:
        maps: Of all slides, normal ones among them.
        threshold: In [0, 1], the least value that counts as the class.
        class_name: Of the class.
        resamples: Of the 95 % bootstrap intervals; 0: none.
        seed: Of the draws.
        radius_um, least_peak: With which `maps` were made.
        about: `maps` and `threshold_from` of the result.
    """
    told = {"maps": "", "threshold_from": "given", **(about or {})}
    counts = [own.counts(threshold) for own in maps]
    pixels = _Drawing(rank_pixels([own.pixels for own in maps]), counts, maps)
    samples = pixels.resampled([own.name for own in maps], resamples, seed)
    once = pixels.scores(np.ones((1, len(maps)), np.int64))
    return HeatmapEvaluation(
        maps=told["maps"],
        class_name=class_name,
        threshold=threshold,
        threshold_from=told["threshold_from"],
        radius_um=radius_um,
        least_peak=least_peak,
        level=LEVEL,
        resamples=resamples,
        seed=seed,
        counts=PixelCounts.total(counts),
        scores={key: interval(float(value[0]), samples[key], LEVEL) for key, value in once.items()},
        froc=lesion_froc([own.hits for own in maps]),
        slides=tuple(own.result(threshold) for own in maps),
    )


@dataclass(frozen=True, eq=False)
class _Drawing:
    """Scores of resamples of slides."""

    ranking: PixelRanking
    counts: Sequence[PixelCounts]
    maps: Sequence[ScoredMap]

    def scores(self, weights: IntArray) -> dict[str, Values]:
        """Each score of each resample, (B,); weights: (B, S), how often each slide is in it."""
        cells = np.array([[own.tp, own.fp, own.fn, own.tn] for own in self.counts], np.int64)
        tp, fp, fn, tn = (weights @ cells.reshape(-1, 4)).T.astype(np.float64)
        return {
            "pixel_auc": pixel_auc(self.ranking, weights),
            "pixel_ap": pixel_average_precision(self.ranking, weights),
            "recall": ratios(tp, tp + fn),
            "precision": ratios(tp, tp + fp),
            "specificity": ratios(tn, tn + fp),
            "dice": ratios(2 * tp, 2 * tp + fp + fn),
            "froc": np.array([self._froc(row) for row in weights]),
            "slide_auc": np.array([self._slide_auc(row) for row in weights]),
        }

    def resampled(self, names: Sequence[str], resamples: int, seed: int) -> dict[str, Values]:
        """Each score of all resamples, (resamples,)."""
        parts = [
            self.scores(rows)
            for weights in (weights_in_parts(names, resamples, seed) if resamples else ())
            for rows in np.array_split(weights, max(1, len(weights) // 64))
        ]
        keys = self.scores(np.zeros((0, len(self.maps)), np.int64))
        return {key: np.concatenate([keys[key], *(part[key] for part in parts)]) for key in keys}

    def _froc(self, weights: NDArray[np.int64]) -> float:
        drawn = [
            own.hits for own, times in zip(self.maps, weights, strict=True) for _ in range(times)
        ]
        return lesion_froc(drawn).score

    def _slide_auc(self, weights: NDArray[np.int64]) -> float:
        scores = np.repeat([own.score for own in self.maps], weights)
        return area_under_curve(scores, np.repeat([own.has_tumour for own in self.maps], weights))
