"""The matches of `pooled_matches` where points are so dense that their pairs do not fit into
memory: a block of points at a time, by falling score."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.metrics.near_pairs import blocks_of, near_counts, near_pairs
from midog.metrics.points import Values
from midog.metrics.pooled_points import PooledPoints, iou_of_squares


def dense_by_radius(points: PooledPoints, radius_mm: float) -> NDArray[np.bool_]:
    """Tell which detections add a match by the challenge's rule.

    Each is in turn a newcomer, as in `pooled_matches`. Only the pairs of detections that a figure
    has, and of those at hand, are in memory: what all figures in reach have turned down, none takes
    later, as figures only ever trade up.

    Args:
        points: Of all ROIs.
        radius_mm: The radius.

    Returns:
        (M,) bool.
    """
    matched = np.zeros(len(points.scores), bool)
    distances = np.full(len(points.truth), math.inf)
    holders = np.full(len(points.truth), -1, np.int64)
    of_holders: dict[int, tuple[IntArray, Values]] = {}
    for at, figures in _by_falling_score(points, radius_mm):
        difference = points.truth[figures] - points.detected[at]
        squared = difference[:, 0] * difference[:, 0] + difference[:, 1] * difference[:, 1]
        inside = squared <= radius_mm * radius_mm
        in_reach = figures[inside], np.sqrt(squared[inside])
        newcomer = at
        while True:
            figures, apart = in_reach
            theirs = distances[figures]
            wanted = (apart < theirs) | ((apart == theirs) & (newcomer < holders[figures]))
            if not wanted.any():
                break
            first = int(np.argmax(wanted))
            taker = int(figures[first])
            given_up = int(holders[taker])
            distances[taker], holders[taker] = apart[first], newcomer
            of_holders[newcomer] = in_reach
            if given_up < 0:
                matched[at] = True
                break
            newcomer, in_reach = given_up, of_holders.pop(given_up)
    return matched


def dense_by_overlap(points: PooledPoints, half_side: float, iou: float) -> NDArray[np.bool_]:
    """Tell which detections take a figure by COCO's rule: each the free one that it overlaps most.

    Args:
        points: Of all ROIs.
        half_side: Half of the squares' side, mm.
        iou: The least overlap.

    Returns:
        (M,) bool.
    """
    matched = np.zeros(len(points.scores), bool)
    taken = np.zeros(len(points.truth), bool)
    for at, figures in _by_falling_score(points, 2 * half_side):
        free = figures[~taken[figures]]
        here = np.repeat(points.detected[at : at + 1], len(free), axis=0)
        apart = np.abs(here - points.truth[free]).max(axis=1, initial=0)
        overlap = iou_of_squares(here, points.truth[free], half_side)
        overlap[(apart > 2 * half_side) | (overlap < iou)] = -1
        if len(free) and overlap.max() >= 0:
            # of equal overlaps the later figure, as in COCO
            last = len(free) - 1 - int(np.argmax(overlap[::-1]))
            taken[free[last]] = matched[at] = True
    return matched


def _by_falling_score(points: PooledPoints, reach_mm: float) -> Iterator[tuple[int, IntArray]]:
    """Detections that may have a figure in reach, by falling score, of equal ones the first; with
    the figures, in file order."""
    reach = reach_mm * (1 + 1e-9)
    order = np.argsort(-points.scores, kind="stable")
    truth = points.truth, points.truth_owner
    counts = near_counts(points.detected[order], points.owner[order], *truth, reach)
    order, counts = order[counts > 0], counts[counts > 0]
    for block in blocks_of(counts):
        chosen = order[block]
        place, figure = near_pairs(points.detected[chosen], points.owner[chosen], *truth, reach)
        by_place = np.lexsort((figure, place))
        ends = np.cumsum(counts[block])
        for number, figures in enumerate(np.split(figure[by_place], ends[:-1])):
            yield int(chosen[number]), figures
