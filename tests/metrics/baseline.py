"""Matches point by point, one ROI after the other, in the words of the rules: what the fast
functions must equal."""

from __future__ import annotations

import math

import numpy as np

from midog.metrics.matching import RADIUS_MM, pairs_within
from midog.metrics.points import RoiPoints


def matched_by_radius(roi: RoiPoints) -> np.ndarray:
    """Whether the number of matched figures grows when a point joins those of higher score, by
    chains of displacements."""
    pairs = pairs_within(roi.truth_mm, roi.detected_mm, RADIUS_MM)
    by_point = np.argsort(
        pairs.detected, kind="stable"
    )  # the figures within reach of a point stay in file order
    figures, distances = pairs.truth[by_point].tolist(), pairs.distance[by_point].tolist()
    ends = np.searchsorted(pairs.detected[by_point], np.arange(len(roi.detected_mm) + 1)).tolist()
    holders = [(math.inf, -1)] * len(
        roi.truth_mm
    )  # (distance, index) of the point that each figure has
    adds = np.zeros(len(roi.detected_mm), bool)
    for newcomer in np.argsort(-roi.scores, kind="stable").tolist():
        point = newcomer
        while point >= 0:
            reach = range(ends[point], ends[point + 1])
            taker = next(
                (at for at in reach if (distances[at], point) < holders[figures[at]]), None
            )
            if taker is None:
                break
            given_up = holders[figures[taker]][1]
            holders[figures[taker]] = (distances[taker], point)
            point = given_up
        adds[newcomer] = point < 0
    return adds


def matched_by_overlap(roi: RoiPoints, half_side: float, iou: float) -> np.ndarray:
    """By falling score, each point takes the free figure that it overlaps most; of equal overlaps
    the later one."""
    matched, taken = np.zeros(len(roi.detected_mm), bool), np.zeros(len(roi.truth_mm), bool)
    for point in np.argsort(-roi.scores, kind="stable").tolist():
        best, best_figure = iou, -1
        for figure in range(len(roi.truth_mm)):
            if (
                not taken[figure]
                and (overlap := iou_of(roi.detected_mm[point], roi.truth_mm[figure], half_side))
                >= best
            ):
                best, best_figure = overlap, figure
        if best_figure >= 0:
            taken[best_figure] = matched[point] = True
    return matched


def iou_of(first: np.ndarray, second: np.ndarray, half_side: float) -> float:
    width, height = np.clip(
        np.minimum(first + half_side, second + half_side)
        - np.maximum(first - half_side, second - half_side),
        0,
        None,
    )
    return width * height / (2 * (2 * half_side) ** 2 - width * height)
