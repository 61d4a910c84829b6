"""The FROC of lesions as the CAMELYON16 challenge counts it, and the peaks of a map that enter it.

The rules are those of its published evaluation code (Evaluation_FROC.py of Ehteshami Bejnordi et
al.; JAMA 318, 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from midog.boxes import FloatArray, IntArray
from midog.metrics.points import Values

MASK_UM = 0.243 * 32
"""Um per px at which the challenge looks at truth: level 5 of 0.243 um/px."""
REACH_UM = 75.0
"""Tumour of which no more than this lies between is one lesion, the size of 5 tumour cells; a
detection within half of it hits."""
LEAST_UM = 275.0
"""A lesion of a shorter major axis is isolated tumour cells: neither sought nor a false alarm."""
PLACES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per slide at which sensitivity is read off; the score is the mean of the six."""


@dataclass(frozen=True, eq=False)
class Lesions:
    """Lesions of a slide.

    labels: (h, w) int32, the number of the lesion of each px from 1 on; 0: none. counted: (K,)
    bool, which of them are no isolated tumour cells.
    """

    labels: NDArray[np.int32]
    counted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SlideHits:
    """What detections of a slide hit.

    best: (L,) float64, the highest score in each counted lesion; 0: missed. false_positives: (F,)
    float64, scores of those that hit no tumour. has_ignored: whether there are lesions that do not
    count.
    """

    best: Values
    false_positives: Values
    has_ignored: bool = False


@dataclass(frozen=True, eq=False)
class LesionFroc:
    """A FROC of lesions.

    score: mean of `sensitivities`, NaN without lesions. sensitivities: at PLACES. fp_per_slide,
    sensitivity: (K,) float64, the curve from the highest threshold on, beginning at 0, 0. lesions,
    slides: numbers.
    """

    score: float
    sensitivities: tuple[float, ...]
    fp_per_slide: Values
    sensitivity: Values
    lesions: int
    slides: int


def lesions_of(tumour: NDArray[np.bool_], um: float = MASK_UM) -> Lesions:
    """Join outlined tumour to lesions: what lies within 37.5 um of it belongs to it, holes are
    filled, px that touch at a corner are together.

    Args:
        tumour: (h, w) bool.
        um: Um per px.
    """
    if not tumour.any():
        return Lesions(np.zeros(tumour.shape, np.int32), np.zeros(0, bool))
    near = ndimage.distance_transform_edt(~tumour) < REACH_UM / (2 * um)
    labels, _ = ndimage.label(ndimage.binary_fill_holes(near), np.ones((3, 3)))
    counted = [
        _major_axis(labels[box] == number) >= LEAST_UM / um
        for number, box in enumerate(ndimage.find_objects(labels), 1)
    ]
    return Lesions(np.asarray(labels, np.int32), np.array(counted, bool))


def hits_of(lesions: Lesions, points: NDArray[np.float64], scores: ArrayLike) -> SlideHits:
    """Tell what detections hit; of several in a lesion the highest counts, and no false positive
    is among them, nor among those in isolated tumour cells.

    Args:
        lesions: Of the slide.
        points: (N, 2) x y, px of the lesions' labels.
        scores: (N,) in (0, 1].
    """
    best = np.zeros(len(lesions.counted))
    points = np.asarray(points, np.float64).reshape(-1, 2)
    column, row = np.floor(points).astype(np.int64).T
    height, width = lesions.labels.shape
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    labels = np.zeros(len(points), np.int64)
    labels[inside] = lesions.labels[row[inside], column[inside]]
    values = np.asarray(scores, np.float64)
    np.maximum.at(best, labels[labels > 0] - 1, values[labels > 0])
    return SlideHits(best[lesions.counted], values[labels == 0], bool((~lesions.counted).any()))


def lesion_froc(slides: Sequence[SlideHits]) -> LesionFroc:
    """Return the FROC of slides together, normal ones among them.

    As in the challenge's code the lowest score that occurs is no threshold, where a missed lesion
    or isolated tumour cells count as a score of 0; between thresholds the curve is straight, and
    beyond its end level.
    """
    best = np.concatenate([np.zeros(0), *(slide.best for slide in slides)])
    false = np.concatenate([np.zeros(0), *(slide.false_positives for slide in slides)])
    zero = [0.0] if any(slide.has_ignored for slide in slides) else []
    thresholds = np.unique(np.concatenate([best, false, zero]))[1:][::-1]
    fp = np.concatenate([[0], _at_least(false, thresholds)]) / max(len(slides), 1)
    lesions = len(best)
    if not lesions:
        nothing = np.full(len(fp), math.nan)
        return LesionFroc(math.nan, (math.nan,) * len(PLACES), fp, nothing, 0, len(slides))
    sensitivity = np.concatenate([[0], _at_least(best, thresholds)]) / lesions
    at_places = np.interp(PLACES, fp, sensitivity)
    return LesionFroc(
        float(at_places.mean()), tuple(at_places.tolist()), fp, sensitivity, lesions, len(slides)
    )


def peaks_of(
    values: FloatArray, radius: tuple[float, float], least: float
) -> tuple[IntArray, IntArray]:
    """Find the peaks of a map one by one: the highest px, then the highest of those that are not
    near it, and so on (Liu et al. 2017, arXiv:1703.02442).

    Args:
        values: (h, w) in [0, 1]; NaN is none.
        radius: Around a peak within which there is no other, px of the map along x and y.
        least: Value of a px that may be a peak.

    Returns:
        Rows and columns (N,) int64, the highest first; of equals the first in the map.
    """
    height, width = values.shape
    flat = values.ravel()
    chosen = np.flatnonzero(flat >= np.float32(least))  # NaN compares false
    order = chosen[np.argsort(-flat[chosen], kind="stable")]
    across, down = (math.floor(side) for side in radius)
    y, x = np.mgrid[-down : down + 1, -across : across + 1]
    disc = (x / max(radius[0], 1e-9)) ** 2 + (y / max(radius[1], 1e-9)) ** 2 <= 1
    free = np.ones((height + 2 * down, width + 2 * across), bool)
    rows, columns = [], []
    for row, column in zip(*np.divmod(order, width), strict=True):
        if free[row + down, column + across]:
            rows.append(int(row))
            columns.append(int(column))
            free[row : row + 2 * down + 1, column : column + 2 * across + 1] &= ~disc
    return np.array(rows, np.int64), np.array(columns, np.int64)


def _at_least(scores: Values, thresholds: Values) -> IntArray:
    """How many scores reach each threshold, (T,) int64."""
    rising = np.sort(scores)
    return np.asarray(len(rising) - np.searchsorted(rising, thresholds, side="left"), np.int64)


def _major_axis(mask: NDArray[np.bool_]) -> float:
    """Major axis of the ellipse with the second moments of a mask, px (as scikit-image's
    `axis_major_length`)."""
    places = np.stack(np.nonzero(mask)).astype(np.float64)
    centred = places - places.mean(axis=1, keepdims=True)
    spread = centred @ centred.T / places.shape[1]
    return 4 * math.sqrt(max(float(np.linalg.eigvalsh(spread)[-1]), 0.0))
