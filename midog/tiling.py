"""Where to look in a whole image: the covering grid of tiles, the edge rule, the merge. Geometry
only, no pixels.

Tiles overlap by at least `overlap` px, so a figure of at most that side is whole in some tile, and
one near a seam is seen by two tiles or four. `inside_tile` drops the views that a neighbour has
better, `merge` makes one of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

STEP = 32
"""Sides of tiles are multiples of it, px."""

LEAST_TILE = 256
"""Smallest side that `fit_tile` takes, px: less shows a network too little at once."""

_PAIRS = 1 << 20
"""Pairs of boxes that are looked at at a time: bounds the memory that `merge` takes."""


def fit_tile(width: int, height: int, overlap: int, most: int) -> int:
    """Side of the tiles, px, whose `grid` has the least px in all; of equals the largest.

    A multiple of 32, at least 256 and twice the overlap, at most `most` (unless those are more),
    and no larger than it takes to hold the image in one tile.
    """
    least = _up(max(LEAST_TILE, 2 * overlap))
    most = max(least, min(most // STEP * STEP, _up(max(width, height))))
    sides = np.arange(least, most + STEP, STEP)
    across, down = (
        np.maximum(-(-(length - overlap) // (sides - overlap)), 1) for length in (width, height)
    )
    pixels = across * down * sides**2
    return int(sides[len(sides) - 1 - np.argmin(pixels[::-1])])


def fit_batch(tiles: int, most: int) -> int:
    """Tiles per step, at most `most`, so that as few steps as that allows are filled as evenly as
    they can be."""
    steps = -(-tiles // most)
    return -(-tiles // steps)


def grid(width: int, height: int, tile: int, overlap: int) -> IntArray:
    """Upper left corners (T, 2) int64 x y, row by row, of the tiles that cover an image of width x
    height px.

    All tiles are tile x tile, no two are equal, neighbours overlap by at least `overlap` px, all
    are spread evenly. Every box of side <= overlap inside the image lies whole in some tile. Where
    a side of the image is shorter than a tile, the tile hangs over its end. Raises ValueError for
    an empty image or tile, or an overlap over half a tile.
    """
    if min(width, height, tile) < 1:
        raise ValueError(f"width {width}, height {height} and tile {tile} must be at least 1")
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"overlap {overlap} must be between 0 and half of tile {tile}")
    x, y = _starts(width, tile, overlap), _starts(height, tile, overlap)
    return np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)


def tile_index(sizes: Sequence[tuple[int, int]], tile: int, overlap: int) -> IntArray:
    """The tiles of several images as one list (T, 3) int64: image, x, y. A tile's number is its
    row.

    sizes: width and height of each image, px; `image` counts them from 0. Raises ValueError as
    `grid` does.
    """
    grids = [grid(width, height, tile, overlap) for width, height in sizes]
    images = np.repeat(np.arange(len(grids)), [len(each) for each in grids])
    corners = np.concatenate([np.zeros((0, 2), np.int64), *grids])
    return np.column_stack([images, corners])


def inside_tile(
    boxes: NDArray[Any], origin: tuple[int, int], tile: int, overlap: int, width: int, height: int
) -> Mask:
    """Mask (N,) bool of the detections of one tile that it may report; a neighbour sees the others
    whole.

    boxes (N, 4) x1 y1 x2 y2 in px of the image, cut to the tile; origin: the tile's x y; width,
    height: of the image. Of the tile's edges, those that lie on the image's edge or beyond it do
    not count. A detection is dropped if
    - its centre is within overlap/4 of an edge; or
    - an edge cuts it (ends it within overlap/16) and what is left reaches at most 3/4 overlap into
      the tile. The neighbour's own edge lies at least `overlap` away, so it has either whole.
      Without the second rule the corner of a tile keeps a quarter of a figure, which overlaps too
      little with the whole one to be merged with it. A figure is dropped by both neighbours only if
      they disagree by 3/16 overlap (12 px of 64) or more about its centre.
    """
    start = np.asarray(origin, dtype=np.int64)
    end = start + tile
    low, high = np.asarray(boxes[:, :2], np.float64), np.asarray(boxes[:, 2:], np.float64)
    dropped = np.zeros((len(boxes), 2), dtype=bool)
    dropped |= (start > 0) & _seen_better(low - start, high - start, overlap)
    dropped |= (end < (width, height)) & _seen_better(end - high, end - low, overlap)
    return np.asarray(~dropped.any(axis=1))


def merge(
    boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any], nms_iou: float
) -> IntArray:
    """Indices (K,) int64 of the detections of an image that stay, best first: class-wise greedy
    NMS.

    boxes (N, 4) x1 y1 x2 y2; scores (N,); labels (N,). Of two boxes of a class whose intersection
    over union is more than nms_iou, the better one stays. The order is by score, then y1, x1, y2,
    x2, label: that of the input is nothing.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    x1, y1, x2, y2 = boxes.T
    rank = np.lexsort((labels, x2, y2, x1, y1, -np.asarray(scores, dtype=np.float64)))
    alive = np.ones(len(boxes), dtype=bool)
    better, worse = _overlapping(boxes[rank], np.asarray(labels)[rank], nms_iou)
    counts = np.bincount(better, minlength=len(boxes))
    ends = np.cumsum(counts)
    for winner in np.flatnonzero(counts).tolist():
        if alive[winner]:
            alive[worse[ends[winner] - counts[winner] : ends[winner]]] = False
    return np.asarray(rank[alive], dtype=np.int64)


def _up(side: int) -> int:
    return -(-side // STEP) * STEP


def _starts(length: int, tile: int, overlap: int) -> IntArray:
    """Where the tiles begin along one side: as few as the overlap allows, the last one ends with
    the image."""
    if length <= tile:
        return np.zeros(1, dtype=np.int64)
    steps = -(
        (tile - length) // (tile - overlap)
    )  # rounded up, so that no step is over tile - overlap
    return np.arange(steps + 1, dtype=np.int64) * (length - tile) // steps


def _seen_better(near: FloatArray, far: FloatArray, overlap: int) -> Mask:
    """Which detections a neighbour across an edge has whole; near, far: distance of their two ends
    from that edge."""
    close = (near + far) / 2 <= overlap / 4
    cut = (near <= overlap / 16) & (far <= overlap * 3 / 4)
    return np.asarray(close | cut)


def _overlapping(boxes: FloatArray, labels: NDArray[Any], iou: float) -> tuple[IntArray, IntArray]:
    """Pairs (first, second) of one class that overlap by more than `iou`, first < second, sorted by
    first."""
    pairs = [_check_pairs(boxes, labels, iou, *near) for near in _near_pairs(boxes)]
    first, second = np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1)
    order = np.argsort(first, kind="stable")
    return first[order], second[order]


def _near_pairs(boxes: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """All pairs first < second that may overlap, each once, in pieces: those that reach into one
    cell of a lattice.

    The cells are as large as boxes are on average, so a box reaches into a few of them. A pair that
    shares several is taken in the upper left one of these.
    """
    if len(boxes) < 2:
        return
    cell = max(float((boxes[:, 2:] - boxes[:, :2]).mean()), 1.0)
    low, high = (
        np.floor(corner / cell).astype(np.int64) for corner in (boxes[:, :2], boxes[:, 2:])
    )
    wide, tall = (high - low + 1).T
    box = np.repeat(np.arange(len(boxes)), wide * tall)
    number = _count_up(wide * tall)  # of the cell within its box
    x, y = low[box, 0] + number % wide[box], low[box, 1] + number // wide[box]
    cells = (y - y.min()) * (np.ptp(x) + 1) + x
    order = np.argsort(cells, kind="stable")
    box, cells = box[order], cells[order]
    ends = np.append(np.flatnonzero(np.diff(cells)) + 1, len(box))
    later = (
        np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(box)) - 1
    )  # behind each in its cell
    upper_left = (low[:, 1] - y.min()) * (np.ptp(x) + 1)
    for rows in np.split(
        np.arange(len(box)), np.flatnonzero(np.diff(np.cumsum(later) // _PAIRS)) + 1
    ):
        one = np.repeat(rows, later[rows])
        other = box[one + 1 + _count_up(later[rows])]
        home = np.maximum(upper_left[box[one]], upper_left[other]) + np.maximum(
            low[box[one], 0], low[other, 0]
        )
        here = home == cells[one]
        yield box[one[here]], other[here]


def _count_up(lengths: IntArray) -> IntArray:
    """0, 1, … for each length, in a row."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _check_pairs(
    boxes: FloatArray, labels: NDArray[Any], iou: float, one: IntArray, other: IntArray
) -> IntArray:
    """Those pairs (2, P) that are of one class and overlap by more than `iou`."""
    x1, y1, x2, y2 = boxes.T.copy()
    wide = np.minimum(x2[one], x2[other]) - np.maximum(x1[one], x1[other])
    tall = np.minimum(y2[one], y2[other]) - np.maximum(y1[one], y1[other])
    shared = wide.clip(0) * tall.clip(0)
    areas = (x2 - x1) * (y2 - y1)
    union = areas[one] + areas[other] - shared
    same = (shared > iou * union) & (labels[one] == labels[other])
    return np.stack([one[same], other[same]])
