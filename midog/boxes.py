"""Boxes and Detections: frozen arrays in one frame (x1 y1 x2 y2, level-0 px), checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

MITOTIC_FIGURE = 1
IMPOSTER = 2
FIGURE_SIDE_PX = 50.0
"""Side of the square that MIDOG draws around a figure's centre, level-0 px (12.5 um at 0.25)."""
FIGURE_SIDE_UM = 12.5
"""The same side in um."""


def _frozen(values: Any, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """A read-only copy of `values` of that dtype; an empty list takes the shape (0, …)."""
    array = np.array(values, dtype=dtype)
    if array.size == 0:
        array = array.reshape(0, *shape[1:])
    array.flags.writeable = False
    return array


def _check(boxes: FloatArray, **columns: NDArray[Any]) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must be (N, 4), got {boxes.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError(f"box {int(np.argmin(np.isfinite(boxes).all(axis=1)))} is not finite")
    reversed_ = (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])
    if reversed_.any():
        at = int(np.argmax(reversed_))
        raise ValueError(f"box {at} is {boxes[at].tolist()}: x1 <= x2 and y1 <= y2 must hold")
    for name, column in columns.items():
        if column.shape != (len(boxes),):
            raise ValueError(f"{name} must be ({len(boxes)},), got {column.shape}")


@dataclass(frozen=True, eq=False)
class Boxes:
    """Ground truth of one ROI.

    xyxy: (N, 4) float32, x1 y1 x2 y2 in level-0 px; may reach over the image's edge.
    labels: (N,) int64, 1 = mitotic figure, 2 = imposter.

    Raises:
        ValueError: where shapes disagree, a value is not finite, or x1 > x2 or y1 > y2.
    """

    xyxy: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    labels: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", _frozen(self.xyxy, np.float32, (0, 4)))
        object.__setattr__(self, "labels", _frozen(self.labels, np.int64, (0,)))
        _check(self.xyxy, labels=self.labels)

    def __len__(self) -> int:
        return len(self.xyxy)

    def of_class(self, label: int) -> FloatArray:
        """Boxes of one class, (M, 4) float32, in file order."""
        return np.asarray(self.xyxy[self.labels == label])

    @property
    def has_figures(self) -> bool:
        """Whether a mitotic figure is among them."""
        return bool((self.labels == MITOTIC_FIGURE).any())


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections in one image.

    boxes: (N, 4) float32, x1 y1 x2 y2 in level-0 px of that image.
    scores: (N,) float32 in [0, 1].
    labels: (N,) int64, 1 = mitotic figure, 2 = imposter ('non-mitotic figure').

    Raises:
        ValueError: as `Boxes` does, and for a score outside [0, 1].
    """

    boxes: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    scores: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    labels: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes", _frozen(self.boxes, np.float32, (0, 4)))
        object.__setattr__(self, "scores", _frozen(self.scores, np.float32, (0,)))
        object.__setattr__(self, "labels", _frozen(self.labels, np.int64, (0,)))
        _check(self.boxes, scores=self.scores, labels=self.labels)
        if not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise ValueError("scores must lie in [0, 1]")

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, keep: NDArray[Any]) -> Detections:
        """Some of the detections.

        Args:
            keep: a mask (N,) bool, or indices (M,), whose order is the result's.
        """
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])

    def at_least(self, threshold: float) -> Detections:
        """Those with score >= threshold."""
        return self.select(self.scores >= np.float32(threshold))

    def figures(self) -> Detections:
        """Those of class 1, mitotic figure."""
        return self.select(self.labels == MITOTIC_FIGURE)

    @property
    def centers(self) -> NDArray[np.float64]:
        """Centres (N, 2) float64, x y in level-0 px."""
        return centers_of(self.boxes)


def centers_of(boxes: FloatArray) -> NDArray[np.float64]:
    """Centres of boxes.

    Args:
        boxes: (N, 4) float32, x1 y1 x2 y2.

    Returns:
        (N, 2) float64 x y: float64, so that no half px is lost.
    """
    wide = boxes.astype(np.float64)
    return np.asarray((wide[:, :2] + wide[:, 2:]) / 2)


def squares_around(points: NDArray[Any], side: float | NDArray[Any] = FIGURE_SIDE_PX) -> FloatArray:
    """Squares around points.

    Args:
        points: (N, 2) x y, px.
        side: of the squares, px; or (2,), along x and y.

    Returns:
        (N, 4) float32, x1 y1 x2 y2 in px.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return np.hstack([points - side / 2, points + side / 2]).astype(np.float32)
