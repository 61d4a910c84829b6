"""The points of several ROIs lie in one row, and pairs are of one ROI."""

from __future__ import annotations

import numpy as np

from midog.metrics.points import RoiPoints
from midog.metrics.pooled_points import PooledPoints, iou_of_squares


def test_pairs_are_of_one_roi_and_counted_before_they_are_made() -> None:
    here = np.array([[0.1, 0.1]])
    rois = [RoiPoints(here, here, [0.5]), RoiPoints(here, np.repeat(here, 3, 0), [0.1, 0.2, 0.3])]
    pooled = PooledPoints.of(rois)
    assert pooled.owner.tolist() == [0, 1, 1, 1]
    figure, point = pooled.near(0.001)
    assert sorted(zip(figure.tolist(), point.tolist(), strict=True)) == [
        (0, 0),
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    assert pooled.pairs(0.001) == 4
    assert PooledPoints.of([]).pairs(0.001) == 0


def test_squares_7_5_um_apart_overlap_by_half() -> None:
    one, other = np.array([[0.0, 0.0]]), np.array([[0.0075, 0.0]])
    assert abs(iou_of_squares(one, other, 0.01125)[0] - 0.5) < 1e-12
    assert iou_of_squares(one, one, 0.01125).tolist() == [1.0]
