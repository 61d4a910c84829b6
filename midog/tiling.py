"""Where to look in a whole image: the covering grid of tiles, the edge rule, the merge. Geometry only, no pixels.

Tiles overlap by at least `overlap` px, so a figure of at most that side is whole in some tile, and one near a seam is
seen by two tiles or four. `inside_tile` drops the views that a neighbour has better, `merge` makes one of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_QUERY_ROWS = 4096
"""Boxes whose neighbours are sought at a time: bounds the memory that `merge` takes."""


def grid(width: int, height: int, tile: int, overlap: int) -> IntArray:
    """Upper left corners (T, 2) int64 x y, row by row, of the tiles that cover an image of width x height px.

    All tiles are tile x tile, no two are equal, neighbours overlap by at least `overlap` px, all are spread evenly.
    Every box of side <= overlap inside the image lies whole in some tile. Where a side of the image is shorter than a
    tile, the tile hangs over its end. Raises ValueError for an empty image or tile, or an overlap over half a tile.
    """
    if min(width, height, tile) < 1:
        raise ValueError(f"width {width}, height {height} and tile {tile} must be at least 1")
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"overlap {overlap} must be between 0 and half of tile {tile}")
    x, y = _starts(width, tile, overlap), _starts(height, tile, overlap)
    return np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)


def tile_index(sizes: Sequence[tuple[int, int]], tile: int, overlap: int) -> IntArray:
    """The tiles of several images as one list (T, 3) int64: image, x, y. A tile's number is its row.

    sizes: width and height of each image, px; `image` counts them from 0. Raises ValueError as `grid` does.
    """
    grids = [grid(width, height, tile, overlap) for width, height in sizes]
    images = np.repeat(np.arange(len(grids)), [len(each) for each in grids])
    corners = np.concatenate([np.zeros((0, 2), np.int64), *grids])
    return np.column_stack([images, corners])


def inside_tile(boxes: NDArray[Any], origin: tuple[int, int], tile: int, overlap: int, width: int, height: int) -> Mask:
    """Mask (N,) bool of the detections of one tile that it may report; a neighbour sees the others whole.

    boxes (N, 4) x1 y1 x2 y2 in px of the image, cut to the tile; origin: the tile's x y; width, height: of the image.
    Of the tile's edges, those that lie on the image's edge or beyond it do not count. A detection is dropped if
    - its centre is within overlap/4 of an edge; or
    - an edge cuts it (ends it within overlap/16) and what is left reaches at most 3/4 overlap into the tile.
    The neighbour's own edge lies at least `overlap` away, so it has either whole. Without the second rule the corner of
    a tile keeps a quarter of a figure, which overlaps too little with the whole one to be merged with it.
    A figure is dropped by both neighbours only if they disagree by 3/16 overlap (12 px of 64) or more about its centre.
    """
    start = np.asarray(origin, dtype=np.int64)
    end = start + tile
    low, high = np.asarray(boxes[:, :2], np.float64), np.asarray(boxes[:, 2:], np.float64)
    dropped = np.zeros((len(boxes), 2), dtype=bool)
    dropped |= (start > 0) & _seen_better(low - start, high - start, overlap)
    dropped |= (end < (width, height)) & _seen_better(end - high, end - low, overlap)
    return np.asarray(~dropped.any(axis=1))


def merge(boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any], nms_iou: float) -> IntArray:
    """Indices (K,) int64 of the detections of an image that stay, best first: class-wise greedy NMS.

    boxes (N, 4) x1 y1 x2 y2; scores (N,); labels (N,). Of two boxes of a class whose intersection over union is more
    than nms_iou, the better one stays. The order is by score, then y1, x1, y2, x2, label: that of the input is nothing.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    x1, y1, x2, y2 = boxes.T
    rank = np.lexsort((labels, x2, y2, x1, y1, -np.asarray(scores, dtype=np.float64)))
    alive = np.ones(len(boxes), dtype=bool)
    better, worse = _overlapping(boxes[rank], np.asarray(labels)[rank], nms_iou)
    for winner, loser in zip(better.tolist(), worse.tolist(), strict=True):
        if alive[winner]:
            alive[loser] = False
    return np.asarray(rank[alive], dtype=np.int64)


def _starts(length: int, tile: int, overlap: int) -> IntArray:
    """Where the tiles begin along one side: as few as the overlap allows, the last one ends with the image."""
    if length <= tile:
        return np.zeros(1, dtype=np.int64)
    steps = -((tile - length) // (tile - overlap))  # rounded up, so that no step is over tile - overlap
    return np.arange(steps + 1, dtype=np.int64) * (length - tile) // steps


def _seen_better(near: FloatArray, far: FloatArray, overlap: int) -> Mask:
    """Which detections a neighbour across an edge has whole; near, far: distance of their two ends from that edge."""
    close = (near + far) / 2 <= overlap / 4
    cut = (near <= overlap / 16) & (far <= overlap * 3 / 4)
    return np.asarray(close | cut)


def _overlapping(boxes: FloatArray, labels: NDArray[Any], iou: float) -> tuple[IntArray, IntArray]:
    """Pairs (first, second) of one class that overlap by more than `iou`, first < second, sorted by first."""
    pairs = [_check_pairs(boxes, labels, iou, *near) for near in _near_pairs(boxes)]
    first, second = np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1)
    order = np.argsort(first, kind="stable")
    return first[order], second[order]


def _near_pairs(boxes: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """All pairs that may overlap, in pieces: the centres are apart by no more than the larger one's side."""
    if len(boxes) < 2:
        return
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    tree = KDTree(centers)
    for begin in range(0, len(boxes), _QUERY_ROWS):
        rows = slice(begin, begin + _QUERY_ROWS)
        found = tree.query_ball_point(centers[rows], sides[rows], p=np.inf, return_sorted=False)
        counts = [len(each) for each in found]
        one = np.repeat(np.arange(begin, begin + len(counts)), counts)
        other = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=sum(counts))
        yield one, other


def _check_pairs(boxes: FloatArray, labels: NDArray[Any], iou: float, one: IntArray, other: IntArray) -> IntArray:
    """Those pairs (2, P), lower index first, that are of one class and overlap by more than `iou`."""
    a, b = boxes[one], boxes[other]
    shared = (np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])).clip(0).prod(axis=1)
    union = _areas(a) + _areas(b) - shared
    same = (one != other) & (labels[one] == labels[other]) & (shared > iou * union)
    return np.stack([np.minimum(one, other)[same], np.maximum(one, other)[same]])


def _areas(boxes: FloatArray) -> FloatArray:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
