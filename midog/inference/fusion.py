"""One list of detections out of those of several views of an image: of models, of orientations.

Weighted box fusion (Solovyev, Wang and Gabruseva, Image and Vision Computing 107, 2021) with the
distance of centres in place of the overlap: detectors of other kinds draw boxes of other sizes
around one figure, and it is by distance that the field's scorers tell figures apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midog.inference.tile_results import BoxArrays, joined
from midog.metrics.matching import RADIUS_MM
from midog.metrics.near_pairs import blocks_of, near_counts, near_pairs
from midog.mpp import Mpp
from midog.tiling import merge

RADIUS_UM = RADIUS_MM * 1000
"""Detections of a class whose centres are this near, um, may be of one figure."""

FUSION = f"sum of scores over number of views, boxes weighted by score, within {RADIUS_UM:g} um"
"""How views are fused, for the record of a folder of detections."""


def fuse(views: Sequence[BoxArrays], mpp: Mpp, nms_iou: float, floor: float) -> BoxArrays:
    """Fuse the detections of several views of one image.

    From the highest score down, a detection that has no figure yet starts one; each other view adds
    to it its nearest detection of that class within 7.5 um that has no figure yet, so that a view
    counts once. With n views, of which some see the figure with scores s_v and boxes b_v,

        score = sum of s_v / n,   box = sum of s_v b_v / sum of s_v:

    what one of n views alone sees gets its score divided by n. What then scores `floor` or less is
    dropped, and class-wise NMS makes one of figures that still overlap. The order of the views does
    not matter. One view is returned as it is.

    Args:
        views: Boxes (N, 4) in level-0 px of the image, scores (N,) and labels (N,) of each view,
            those of a view without overlaps.
        mpp: um/px of the image.
        nms_iou: Boxes of a class that overlap a better one by more than this are dropped.
        floor: Lowest score, in [0, 1].

    Returns:
        Boxes, scores and labels, best first.
    """
    if len(views) == 1:
        return views[0]
    boxes, scores, labels = joined(views)
    view = np.repeat(np.arange(len(views)), [len(own[1]) for own in views])
    x1, y1, x2, y2 = boxes.T
    order = np.lexsort((labels, x2, y2, x1, y1, -scores.astype(np.float64)))
    boxes, scores, labels, view = boxes[order], scores[order], labels[order], view[order]
    figure = _figures(boxes, labels, view, mpp)
    weights = scores.astype(np.float64)
    sums = np.bincount(figure, weights)
    sides = [np.bincount(figure, weights * side) / sums for side in boxes.T]
    first = np.unique(figure, return_index=True)[1]
    fused = np.stack(sides, axis=1).reshape(-1, 4)
    means = (sums / len(views)).astype(np.float32)
    keep = np.flatnonzero(means > np.float32(floor))
    keep = keep[merge(fused[keep], means[keep], labels[first][keep], nms_iou)]
    return fused[keep], means[keep], labels[first][keep]


def _figures(
    boxes: NDArray[np.float64], labels: NDArray[np.int64], view: NDArray[np.int64], mpp: Mpp
) -> NDArray[np.int64]:
    """(N,) number of the figure of each detection; they come best first, and so do figures."""
    figure = np.full(len(boxes), -1, dtype=np.int64)
    neighbours = _neighbours(boxes, labels, view, mpp)
    count = 0
    for seed in range(len(boxes)):
        if figure[seed] >= 0:
            continue
        figure[seed] = count
        taken = {int(view[seed])}
        for other in neighbours.get(seed, ()):
            if figure[other] < 0 and int(view[other]) not in taken:
                figure[other] = count
                taken.add(int(view[other]))
        count += 1
    return figure


def _neighbours(
    boxes: NDArray[np.float64], labels: NDArray[np.int64], view: NDArray[np.int64], mpp: Mpp
) -> dict[int, list[int]]:
    """Detections of the same class and another view within the radius of each, nearest first."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * np.array([mpp.x, mpp.y])
    neighbours: dict[int, list[int]] = {}
    for some in blocks_of(near_counts(centres, labels, centres, labels, RADIUS_UM)):
        one, other = near_pairs(centres[some], labels[some], centres, labels, RADIUS_UM)
        one += some.start
        apart = np.hypot(*(centres[one] - centres[other]).T)
        # of two the better one starts a figure, and the worse one joins it
        near = (one < other) & (view[one] != view[other]) & (apart <= RADIUS_UM)
        one, other, apart = one[near], other[near], apart[near]
        for pair in np.lexsort((other, apart, one)).tolist():
            neighbours.setdefault(int(one[pair]), []).append(int(other[pair]))
    return neighbours
