"""Where to look in a whole image: the covering grid of tiles, the edge rule, the merge.

Geometry only, no pixels. Tiles overlap by at least `overlap` px, so a figure of at most that side
is whole in some tile, and one near a seam is in two tiles or four. `inside_tile` drops those
detections of it that a neighbouring tile has better, `merge` makes one of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

STEP = 32
"""Sides of tiles, and the places where they begin, are multiples of it, px.

Networks halve an image up to five times, and a score depends a little on where in the cell of such
a grid its figure lies: tiles that begin at multiples of 2**5 px show each place of an image in the
same phase, whatever else is tiled with it.
"""

LEAST_TILE = 256
"""Smallest side that `fit_tile` returns, px: less shows a network too little at once."""

_PAIRS = 1 << 20
"""Pairs of boxes that are compared at a time: bounds the memory that `merge` takes."""


def fit_tile(width: int, height: int, overlap: int, most: int) -> int:
    """Side of the tiles whose `grid` has the fewest px in all; of equals the largest.

    Args:
        width, height: of the image, px.
        overlap: of neighbouring tiles, px.
        most: largest side, px.

    Returns:
        px, a multiple of 32, at least 256 and twice the overlap, at most `most` (unless those are
        more), and no larger than it takes to hold the image in one tile.
    """
    least = _up(max(LEAST_TILE, 2 * overlap))
    most = max(least, min(most // STEP * STEP, _up(max(width, height))))
    sides = np.arange(least, most + STEP, STEP)
    across, down = (_steps(length, sides, overlap, STEP)[0] + 1 for length in (width, height))
    pixels = across * down * sides**2
    return int(sides[len(sides) - 1 - np.argmin(pixels[::-1])])


def fit_batch(tiles: int, most: int) -> int:
    """Tiles per step that fill as few steps as possible as evenly as possible.

    Args:
        tiles: tiles in all.
        most: largest number per step.
    """
    steps = -(-tiles // most)
    return -(-tiles // steps)


def grid(width: int, height: int, tile: int, overlap: int) -> IntArray:
    """The tiles that cover an image.

    All tiles are of one size, no two are equal, and all are spread evenly. Every box of side <=
    overlap inside the image lies whole in some tile. Tiles whose side is a multiple of 32 px begin
    at multiples of 32 px (unless overlap leaves them less than 32 px of their own): the last of a
    row or column hangs over the end of the image by less than that. Where a side of the image is
    shorter than a tile, the tile hangs over its end.

    Args:
        width, height: of the image, px.
        tile: side of a tile, px.
        overlap: least overlap of neighbours, px.

    Returns:
        (T, 2) int64, their upper left corners x y in px, row by row.

    Raises:
        ValueError: for an empty image or tile, or an overlap over half a tile.
    """
    if min(width, height, tile) < 1:
        raise ValueError(f"width {width}, height {height} and tile {tile} must be at least 1")
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"overlap {overlap} must be between 0 and half of tile {tile}")
    x, y = _starts(width, tile, overlap), _starts(height, tile, overlap)
    return np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)


def neighbours(origins: IntArray, looked_at: Mask) -> Mask:
    """Which edges of each tile of a grid have a neighbour beyond them that is looked at as well.

    Args:
        origins: (T, 2) x y of all tiles of a `grid`.
        looked_at: (T,) which of them are looked at.

    Returns:
        (T, 4) bool: at the left, at the top, at the right and at the bottom.
    """
    across = len(np.unique(origins[:, 0]))
    taken = np.pad(looked_at.reshape(-1, across), 1)
    beside = [taken[1:-1, :-2], taken[:-2, 1:-1], taken[1:-1, 2:], taken[2:, 1:-1]]
    return np.stack(beside, axis=2).reshape(-1, 4)


def inside_tile(
    boxes: NDArray[Any], origin: tuple[int, int], tile: int, overlap: int, inner: Mask
) -> Mask:
    """Which detections of a tile the tile may report; a neighbour has the others whole.

    Edges of the tile without a neighbour do not count. A detection is dropped if
    - its centre is within overlap/4 of an edge; or
    - an edge cuts it (ends it within overlap/16) and what is left reaches at most 3/4 overlap into
      the tile.
    The neighbour's own edge lies at least `overlap` away, so it has either whole. Without the
    second rule the corner of a tile keeps a quarter of a figure, which overlaps too little with the
    whole one to be merged with it. A figure is dropped by both neighbours only if they disagree by
    3/16 overlap (12 px of 64) or more about its centre.

    Args:
        boxes: (N, 4) x1 y1 x2 y2 in px of the image, cut to the tile.
        origin: x y of the tile, px.
        tile, overlap: of the grid, px.
        inner: (4,) bool, the edges with a neighbour that is looked at: left, top, right, bottom.

    Returns:
        (N,) bool.
    """
    start = np.asarray(origin, dtype=np.int64)
    end = start + tile
    low, high = np.asarray(boxes[:, :2], np.float64), np.asarray(boxes[:, 2:], np.float64)
    dropped = np.zeros((len(boxes), 2), dtype=bool)
    dropped |= inner[:2] & _seen_better(low - start, high - start, overlap)
    dropped |= inner[2:] & _seen_better(end - high, end - low, overlap)
    return np.asarray(~dropped.any(axis=1))


def merge(
    boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any], nms_iou: float
) -> IntArray:
    """Make one of the detections that several tiles report of one figure: class-wise greedy NMS.

    Args:
        boxes: (N, 4) x1 y1 x2 y2 in px of the image.
        scores: (N,); labels: (N,).
        nms_iou: of two boxes of a class whose intersection over union is larger, the one of higher
            score stays.

    Returns:
        (K,) int64, indices of those that stay, best first: by score, then y1, x1, y2, x2, label;
        the order of the input does not matter.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    rank = best_first(boxes, scores, labels)
    alive = np.ones(len(boxes), dtype=bool)
    better, worse = _overlapping(boxes[rank], np.asarray(labels)[rank], nms_iou)
    counts = np.bincount(better, minlength=len(boxes))
    ends = np.cumsum(counts)
    for winner in np.flatnonzero(counts).tolist():
        if alive[winner]:
            alive[worse[ends[winner] - counts[winner] : ends[winner]]] = False
    return np.asarray(rank[alive], dtype=np.int64)


def best_first(boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any]) -> IntArray:
    """Indices (N,) of detections by score, then y1, x1, y2, x2, label, whatever their order was."""
    x1, y1, x2, y2 = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
    order = np.lexsort((labels, x2, y2, x1, y1, -np.asarray(scores, dtype=np.float64)))
    return np.asarray(order, dtype=np.int64)


def settled(boxes: NDArray[Any], labels: NDArray[Any], nms_iou: float, frontier: float) -> Mask:
    """Which detections `merge` treats alike whatever else is reported below a line.

    Those that lie above it, and overlap by more than `nms_iou` with none of their class that does
    not, directly or through others. What reaches below the line may still be suppressed by what is
    to come, and then suppresses no more what it overlaps itself.

    Args:
        boxes: (N, 4) x1 y1 x2 y2 in px of the image.
        labels: (N,).
        nms_iou: as of `merge`.
        frontier: px; y1 of all that is to come is at least that.

    Returns:
        (N,) bool.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    one, other = _overlapping(boxes, np.asarray(labels), nms_iou)
    is_open = boxes[:, 3] > frontier
    before = -1
    while before != (before := int(np.count_nonzero(is_open))):
        touched = is_open[one] | is_open[other]
        is_open[one[touched]] = is_open[other[touched]] = True
    return ~is_open


def _up(side: int) -> int:
    return -(-side // STEP) * STEP


def _starts(length: int, tile: int, overlap: int) -> IntArray:
    """Where the tiles begin along one side: as few as the overlap allows, the last reaches its end.

    They begin at multiples of `STEP` where the tiles' side is one and leaves room for it.
    """
    unit = STEP if tile % STEP == 0 and tile - overlap >= STEP else 1
    steps, last = _steps(length, tile, overlap, unit)
    starts: IntArray = np.arange(steps + 1, dtype=np.int64) * last // max(steps, 1) * unit
    return starts


def _steps(length: int, tile: Any, overlap: int, unit: int) -> tuple[Any, Any]:
    """Tiles after the first along one side, and where the last of them begins in units of `unit`.

    tile: a side or an array of sides, multiples of `unit`. No step is over tile - overlap.
    """
    last = np.maximum(-((tile - length) // unit), 0)
    return -(-last // ((tile - overlap) // unit)), last


def _seen_better(near: FloatArray, far: FloatArray, overlap: int) -> Mask:
    """Which detections a neighbour across an edge has whole.

    near, far: distance of their two ends from that edge, px.
    """
    close = (near + far) / 2 <= overlap / 4
    cut = (near <= overlap / 16) & (far <= overlap * 3 / 4)
    return np.asarray(close | cut)


def _overlapping(boxes: FloatArray, labels: NDArray[Any], iou: float) -> tuple[IntArray, IntArray]:
    """Pairs (first, second) of one class that overlap by more than `iou`, sorted by first.

    first < second in each pair.
    """
    pairs = [_of_one_class(boxes, labels, iou, *some) for some in _pairs_in_cells(boxes)]
    first, second = np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1)
    order = np.argsort(first, kind="stable")
    return first[order], second[order]


def _pairs_in_cells(boxes: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """All pairs first < second that may overlap, once, in pieces: those that share a lattice cell.

    The cells are as large as boxes are on average, so a box reaches into a few of them. A pair that
    shares several is yielded for the upper left one of these.
    """
    if len(boxes) < 2:
        return
    cell = max(float((boxes[:, 2:] - boxes[:, :2]).mean()), 1.0)
    low, high = (
        np.floor(corner / cell).astype(np.int64) for corner in (boxes[:, :2], boxes[:, 2:])
    )
    wide, tall = (high - low + 1).T
    box = np.repeat(np.arange(len(boxes)), wide * tall)
    cell_number = _count_up(wide * tall)  # within its box
    x, y = low[box, 0] + cell_number % wide[box], low[box, 1] + cell_number // wide[box]
    cells = (y - y.min()) * (np.ptp(x) + 1) + x
    order = np.argsort(cells, kind="stable")
    box, cells = box[order], cells[order]
    ends = np.append(np.flatnonzero(np.diff(cells)) + 1, len(box))
    # how many boxes follow a box in its cell
    later = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(box)) - 1
    row_start = (low[:, 1] - y.min()) * (np.ptp(x) + 1)
    piece_starts = np.flatnonzero(np.diff(np.cumsum(later) // _PAIRS)) + 1
    for rows in np.split(np.arange(len(box)), piece_starts):
        one = np.repeat(rows, later[rows])
        first, second = box[one], box[one + 1 + _count_up(later[rows])]
        upper_left = np.maximum(row_start[first], row_start[second])
        upper_left += np.maximum(low[first, 0], low[second, 0])
        here = upper_left == cells[one]
        yield first[here], second[here]


def _count_up(lengths: IntArray) -> IntArray:
    """0, 1, … up to each of the lengths, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _of_one_class(
    boxes: FloatArray, labels: NDArray[Any], iou: float, one: IntArray, other: IntArray
) -> IntArray:
    """Those pairs, (2, P) int64, that are of one class and overlap by more than `iou`."""
    x1, y1, x2, y2 = boxes.T.copy()
    wide = np.minimum(x2[one], x2[other]) - np.maximum(x1[one], x1[other])
    tall = np.minimum(y2[one], y2[other]) - np.maximum(y1[one], y1[other])
    shared = wide.clip(0) * tall.clip(0)
    areas = (x2 - x1) * (y2 - y1)
    union = areas[one] + areas[other] - shared
    same = (shared > iou * union) & (labels[one] == labels[other])
    return np.stack([one[same], other[same]])
