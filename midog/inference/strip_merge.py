"""Detections of an image merged strip by strip, while the tiles below are still looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.inference.tile_plan import TilePlan
from midog.inference.tile_results import BoxArrays, joined
from midog.tiling import best_first, merge, settled


class StripMerge:
    """Merges what the tiles of an image report, row by row, as one NMS over the image would.

    What lies above the tiles that are still to come is merged and its suppressed boxes are
    forgotten, apart from chains of overlapping boxes that reach below: these wait. The result is
    that of `midog.tiling.merge` on all boxes at once, to the bit.

    Args:
        plan: How the image is divided.
        size: (width, height) of the image, level-0 px.
        nms_iou: Boxes of a class that overlap a better one by more than this are dropped.
    """

    def __init__(self, plan: TilePlan, size: tuple[int, int], nms_iou: float) -> None:
        self._nms_iou = nms_iou
        self._ends = np.array([*plan.size, *plan.size]), np.array([*size, *size])
        self._scale = np.array(plan.scale * 2)
        self._frontier = 0.0
        self._waiting: list[BoxArrays] = []
        self._kept: list[BoxArrays] = []

    def take(self, reports: BoxArrays, frontier: int) -> None:
        """Take what further tiles report.

        Args:
            reports: Boxes in px of the resampled image, scores and labels.
            frontier: No tile that is still to come begins above this row, px of the resampled
                image.
        """
        boxes, scores, labels = reports
        if len(boxes):
            boxes = self._in_image(boxes)
            assert boxes[:, 1].min() >= self._frontier, "a box begins above its tile"
            self._waiting.append((boxes, scores, labels))
        frontier_px = float(self._in_image(np.full((1, 4), float(frontier)))[0, 1])
        if frontier_px > self._frontier:
            self._frontier = frontier_px
            self._settle()

    def result(self) -> BoxArrays:
        """Merge the rest.

        Returns:
            Boxes (N, 4) float64 in level-0 px, none empty, with their scores and labels, best
            first.
        """
        self._frontier = np.inf
        self._settle()
        boxes, scores, labels = joined(self._kept)
        order = best_first(boxes, scores, labels)
        return boxes[order], scores[order], labels[order]

    def _settle(self) -> None:
        """Merge what no box below the frontier can change."""
        boxes, scores, labels = joined(self._waiting)
        if not len(boxes):
            return
        done = settled(boxes, labels, self._nms_iou, self._frontier)
        rest = ~done
        self._waiting = [(boxes[rest], scores[rest], labels[rest])]
        boxes, scores, labels = boxes[done], scores[done], labels[done]
        keep = merge(boxes, scores, labels, self._nms_iou)
        keep = keep[(boxes[keep, 2:] > boxes[keep, :2]).all(axis=1)]
        self._kept.append((boxes[keep], scores[keep], labels[keep]))

    def _in_image(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes of the resampled image in level-0 px, cut to the image."""
        resampled, own = self._ends
        return np.asarray(np.minimum(np.clip(boxes, 0, resampled) / self._scale, own))
