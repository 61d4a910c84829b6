"""From the candidates of tiles to the boxes of an image, without those that a neighbour has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from midog.inference.orientations import AS_IT_IS, Orientation
from midog.inference.tile_plan import TilePlaces, TilePlan
from midog.models.postprocess import suppress
from midog.models.protocol import Candidates
from midog.tiling import inside_tile

BoxArrays = tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]]
"""Boxes (N, 4) `x1 y1 x2 y2` px of the resampled image, scores (N,), labels (N,)."""


def place_tiles(
    candidates: Candidates,
    places: TilePlaces,
    plan: TilePlan,
    *,
    nms_iou: float,
    max_detections: int,
    orientation: Orientation = AS_IT_IS,
) -> BoxArrays:
    """Move a batch's detections to the image, without those that a neighbouring tile shows whole.

    Args:
        candidates: of the tiles, px of the tile; tiles beyond the last place are filling.
        places: of the n tiles.
        plan: how the image is divided.
        nms_iou: boxes of a class that overlap a better one by more than this are dropped.
        max_detections: most detections of a tile.
        orientation: in which the tiles were shown.
    """
    parts = list[BoxArrays]()
    tiles = suppress(candidates, nms_iou, max_detections)
    for tile, (x, y), inner in zip(tiles, places.corners.tolist(), places.inner, strict=False):
        boxes = tile["boxes"].double().numpy()
        if orientation != AS_IT_IS:
            boxes = orientation.turn_back(boxes, plan.tile, plan.tile)
        boxes = boxes + np.array([x, y, x, y])
        keep = inside_tile(boxes, (x, y), plan.tile, plan.overlap, inner)
        parts.append((boxes[keep], tile["scores"].numpy()[keep], tile["labels"].numpy()[keep]))
    return joined(parts)


def joined(parts: Sequence[BoxArrays]) -> BoxArrays:
    """Join boxes, scores and labels in the order of the parts, of which there may be none."""
    nothing: BoxArrays = np.zeros((0, 4)), np.zeros(0, np.float32), np.zeros(0, np.int64)
    boxes, scores, labels = (np.concatenate(column) for column in zip(nothing, *parts, strict=True))
    return boxes, scores, labels
