"""One-to-one matching of detections to true figures within a radius, as the MIDOG challenge does
it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from midog.boxes import IntArray
from midog.metrics.near_pairs import blocks_of, near_counts, near_pairs
from midog.metrics.points import Points, Values, as_points

RADIUS_MM = 0.0075
"""The challenge's radius, 7.5 um: a detection up to this distance from a figure can match it."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Which detection each true figure took.

    Attributes:
        truth_to_detection: (N,) int64, index of the detection, -1 for a missed figure. No detection
            stands twice.
        detections: Number of detections, matched or not.
    """

    truth_to_detection: IntArray
    detections: int

    @property
    def tp(self) -> int:
        """Figures that were detected."""
        return int(np.count_nonzero(self.truth_to_detection >= 0))

    @property
    def fp(self) -> int:
        """Detections without a figure."""
        return self.detections - self.tp

    @property
    def fn(self) -> int:
        """Figures that were missed."""
        return len(self.truth_to_detection) - self.tp


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every (figure, detection) within the radius, sorted by figure, then distance, then detection.

    Attributes:
        truth: (P,) int64, index of the figure.
        detected: (P,) int64, index of the detection.
        distance: (P,) float64, mm.
    """

    truth: IntArray
    detected: IntArray
    distance: Values


def match_points(truth: Points, detected: Points, *, radius_mm: float = RADIUS_MM) -> Matches:
    """Match by the challenge's greedy rule.

    Each figure, in the order given, takes the nearest detection not yet taken. A distance of up to
    `radius_mm` matches; of equally near detections the one with the lower index is taken. The
    result depends on the order of `truth`: it is no optimal assignment, because the challenge's is
    none.

    It gives the counts of `score_detection` (evalutils 0.4.2, now in grand-challenge-metrics), with
    the same arithmetic: squared distance <= radius * radius, nearest by the root of it. Only where
    a distance is the radius to within its rounding can the two differ, since the ball tree there
    may decide by the bounds of its balls.

    Args:
        truth: (N, 2) x y in float64 mm (px * mpp / 1000); may be empty.
        detected: (M, 2), as `truth`.
        radius_mm: The radius, > 0.

    Raises:
        ValueError: If an array is not (·, 2) or not finite.
    """
    truth, detected = as_points(truth), as_points(detected)
    truth_to_detection = np.full(len(truth), -1, np.int64)
    taken = np.zeros(len(detected), bool)
    for pairs in pairs_in_blocks(truth, detected, radius_mm):
        figures, begin = np.unique(pairs.truth, return_index=True)
        in_reach = np.split(pairs.detected, begin[1:])
        for figure, detections in zip(figures.tolist(), in_reach, strict=False):
            nearest = int(np.argmin(taken[detections]))  # the first that is not taken
            if not taken[detections[nearest]]:
                truth_to_detection[figure] = detections[nearest]
                taken[detections[nearest]] = True
    return Matches(truth_to_detection, len(detected))


def pairs_in_blocks(truth: Points, detected: Points, radius_mm: float) -> Iterator[Pairs]:
    """Iterate over the pairs of `pairs_within`, a block of figures at a time, in their order.

    Points may be so dense that all of their pairs do not fit into memory.
    """
    rois = np.zeros(len(truth), np.int64), np.zeros(len(detected), np.int64)
    counts = near_counts(truth, rois[0], detected, rois[1], radius_mm * (1 + 1e-9))
    for block in blocks_of(counts):
        pairs = pairs_within(truth[block], detected, radius_mm)
        yield Pairs(pairs.truth + block.start, pairs.detected, pairs.distance)


def pairs_within(truth: Points, detected: Points, radius_mm: float) -> Pairs:
    """Return all pairs of (N, 2) and (M, 2) points at a distance of up to `radius_mm`, > 0."""
    rois = np.zeros(len(truth), np.int64), np.zeros(len(detected), np.int64)
    # A little further than the radius, so that rounding loses none; the exact test decides.
    figure, detection = near_pairs(truth, rois[0], detected, rois[1], radius_mm * (1 + 1e-9))
    difference = truth[figure] - detected[detection]
    squared = difference[:, 0] * difference[:, 0] + difference[:, 1] * difference[:, 1]
    inside = squared <= radius_mm * radius_mm
    figure, detection, distance = figure[inside], detection[inside], np.sqrt(squared[inside])
    order = np.lexsort((detection, distance, figure))
    return Pairs(figure[order], detection[order], distance[order])
