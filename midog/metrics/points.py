"""True figures and detections of one ROI as points in millimetres, the frame of all scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import MITOTIC_FIGURE, Boxes, Detections, FloatArray, centers_of
from midog.mpp import MppLike, as_mpp

Points = NDArray[np.float64]
"""(N, 2) float64, x y in mm."""
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RoiPoints:
    """True figures and detections of one ROI.

    Attributes:
        truth_mm: (N, 2) float64, x y in mm, in file order.
        detected_mm: (M, 2) float64, x y in mm.
        scores: (M,) float64 of the detections, any finite range.

    Raises:
        ValueError: If shapes disagree or a value is not finite.
    """

    truth_mm: Points
    detected_mm: Points
    scores: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth_mm", as_points(self.truth_mm))
        object.__setattr__(self, "detected_mm", as_points(self.detected_mm))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float64))
        if self.scores.shape != (len(self.detected_mm),) or not np.isfinite(self.scores).all():
            raise ValueError(
                f"scores must be ({len(self.detected_mm)},) and finite, got {self.scores.shape}"
            )

    def at_least(self, threshold: float) -> RoiPoints:
        """The same figures, and the detections with score >= threshold in their order."""
        keep = self.scores >= threshold
        return RoiPoints(self.truth_mm, self.detected_mm[keep], self.scores[keep])


def points_from_boxes(truth: Boxes, detections: Detections, mpp: MppLike) -> RoiPoints:
    """Turn boxes into points: of each, the mitotic figures alone.

    Args:
        truth: Annotated boxes, level-0 px.
        detections: Detected boxes, level-0 px of the same image.
        mpp: um/px, or those along x and y.
    """
    figures = detections.figures()
    return RoiPoints(
        centres_mm(truth.of_class(MITOTIC_FIGURE), mpp),
        centres_mm(figures.boxes, mpp),
        figures.scores.astype(np.float64),
    )


def centres_mm(boxes: FloatArray, mpp: MppLike | None) -> Points:
    """Return the centres of boxes as points.

    Args:
        boxes: (N, 4) float32 x1 y1 x2 y2, level-0 px.
        mpp: um/px, or those along x and y; None where it is not known.

    Returns:
        (N, 2) float64, x y in mm, in the order given; (0, 2) if `mpp` is None.
    """
    return np.zeros((0, 2)) if mpp is None else mm_of_px(centers_of(boxes), mpp)


def mm_of_px(points_px: Points, mpp: MppLike) -> Points:
    """Points (N, 2) in level-0 px as millimetres, each axis by its own mpp: px * mpp / 1000."""
    return np.asarray(points_px * np.array(as_mpp(mpp)) / 1000)


def px_of_mm(points_mm: Points, mpp: MppLike | None) -> Points:
    """Points (N, 2) in millimetres as level-0 px, each axis by its own mpp; NaN without one."""
    size = np.full(2, np.nan) if mpp is None else np.array(as_mpp(mpp))
    return np.asarray(points_mm * 1000 / size)


def as_points(values: Any) -> Points:
    """Return values as points (N, 2) float64; an empty list is (0, 2).

    Raises:
        ValueError: If the shape is another, or a value is not finite.
    """
    points = np.asarray(values, dtype=np.float64)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points must be (N, 2), got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"point {int(np.argmin(np.isfinite(points).all(axis=1)))} is not finite")
    return points
