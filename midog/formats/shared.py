"""What the formats share: names of the classes, numbers in few digits, points that were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.mpp import Mpp

FIGURE_NAME = "mitotic figure"
NON_FIGURE_NAME = "non-mitotic figure"
CLASS_NAMES = {MITOTIC_FIGURE: FIGURE_NAME, IMPOSTER: NON_FIGURE_NAME}
"""Name of a class in files of detections, by label."""


@dataclass(frozen=True, eq=False)
class DetectedPoints:
    """The points of one file of detections, in its order.

    Attributes:
        points_mm: (N, 2) float64, x y in mm.
        scores: (N,) float64 in [0, 1], NaN where the file gives no probability.
        is_figure: (N,) bool, the point is named 'mitotic figure' or, as in the files of 2021, has
            no name.
        other_names: How many points have another name than 'mitotic figure' and 'non-mitotic
            figure', by that name.
    """

    points_mm: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_figure: NDArray[np.bool_]
    other_names: Mapping[str, int] = field(default_factory=dict)

    def select(self, keep: NDArray[np.bool_]) -> DetectedPoints:
        """Some of the points, by a mask (N,)."""
        return DetectedPoints(
            self.points_mm[keep], self.scores[keep], self.is_figure[keep], self.other_names
        )


@dataclass(frozen=True, eq=False)
class DetectedPixels:
    """The points of one file of detections in px, in its order.

    Attributes:
        points_px: (N, 2) float64, x y in level-0 px from the corner of the slide's bounds, as
            viewers count.
        scores, is_figure, other_names: As of DetectedPoints.
    """

    points_px: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_figure: NDArray[np.bool_]
    other_names: Mapping[str, int] = field(default_factory=dict)

    def in_mm(self, mpp: Mpp, origin: tuple[int, int]) -> DetectedPoints:
        """The same in mm of the image.

        Args:
            mpp: um/px of level 0.
            origin: x y of the corner of the slide's bounds, level-0 px.
        """
        points_mm = (self.points_px + np.array(origin)) * np.array([mpp.x, mpp.y]) / 1000
        return DetectedPoints(points_mm, self.scores, self.is_figure, self.other_names)


Detected = DetectedPoints | DetectedPixels
"""What a file of detections holds."""


def shortest(value: np.float32) -> float:
    """Return the float that writes a float32 in the fewest digits: 0.7, not 0.699999988079071."""
    return float(str(value))
