"""What scoring does not count as its author may think: one line with the number of each kind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.errors import clean, shortened
from midog.formats.shared import FIGURE_NAME, DetectedPoints
from midog.metrics.points import Points

DEFAULT_PROBABILITY = 0.5
"""What a point without probability is taken to have; so does the challenge's own evaluation."""

_LARGEST_MM = 100.0
"""No slide is as large along a side."""


@dataclass(frozen=True, eq=False)
class PlacedPoints:
    """The points of an ROI and what is known of its image.

    Attributes:
        detected: The points.
        counted: (M,) bool, those that count.
        size_px: Width and height, level-0 px; NaN where it is not known.
        size_mm: Width and height; NaN where it is not known.
    """

    detected: DetectedPoints
    counted: NDArray[np.bool_]
    size_px: tuple[float, float]
    size_mm: tuple[float, float]


def remark(rois: Sequence[PlacedPoints], threshold: float | None) -> str:
    """Say what is odd about points, with the number of each kind; "" if nothing is.

    Args:
        rois: The points of all ROIs.
        threshold: From which points count; None: those named 'mitotic figure' do.
    """
    total = sum(len(roi.counted) for roi in rois)
    if not total:
        return ""
    remarks = [
        _names(rois, total, threshold),
        _none_counts(rois, total, threshold),
        _places(rois, total),
        _no_probability(roi.detected for roi in rois),
    ]
    return "; ".join(filter(None, remarks))


def _names(rois: Iterable[PlacedPoints], total: int, threshold: float | None) -> str:
    """Points of names that the challenge does not know."""
    names = Counter[str]()
    for roi in rois:
        names.update(roi.detected.other_names)
    if not names or threshold is not None:
        return ""
    most = [f"'{shortened(clean(name), 40)}' ({count})" for name, count in names.most_common(4)]
    more = f" and {len(names) - 4} other names" if len(names) > 4 else ""
    return (
        f"{names.total()} of {total} points do not count, as they are named"
        f" {', '.join(most)}{more}: only '{FIGURE_NAME}' counts"
    )


def _none_counts(rois: Iterable[PlacedPoints], total: int, threshold: float | None) -> str:
    if any(roi.counted.any() for roi in rois):
        return ""
    if threshold is not None:
        return f"none of {total} points has a probability of {threshold:g} or more, so none counts"
    return (
        f"none of {total} points is named '{FIGURE_NAME}', so none counts in F1, precision and"
        " recall, while AP and FROC take them all (a threshold counts them by their probability)"
    )


def _places(rois: Iterable[PlacedPoints], total: int) -> str:
    """Points beyond the image, or, where its size is not known, beyond any slide."""
    outside = as_px = 0
    for roi in rois:
        points = roi.detected.points_mm
        size = [_LARGEST_MM if math.isnan(side) else side for side in roi.size_mm]
        beyond = points[_is_outside(points, size)]
        outside += len(beyond)
        as_px += int((~_is_outside(beyond, roi.size_px)).sum())
    if not outside:
        return ""
    line = f"{outside} of {total} points lie outside their image: are they mm, of this mpp?"
    return f"{line} Taken as px, {as_px} of them lie inside it" if as_px else line


def _is_outside(points: Points, size: Sequence[float]) -> NDArray[np.bool_]:
    """(N,) bool; a size of NaN has nothing outside, but what is negative."""
    return np.asarray(((points < 0) | (points > np.array(size))).any(axis=1))


def _no_probability(detected: Iterable[DetectedPoints]) -> str:
    number = sum(int(np.isnan(of_roi.scores).sum()) for of_roi in detected)
    if not number:
        return ""
    return f"{number} points have no probability and are taken to have {DEFAULT_PROBABILITY:g}"
