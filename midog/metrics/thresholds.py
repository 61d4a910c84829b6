"""The choice of a threshold: by F1, by precision, or by false positives per mm2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.metrics.points import Values
from midog.metrics.sweep import Sweep


def best_threshold(sweep: Sweep) -> float:
    """Choose the threshold t in (0, 1] with the best F1: the middle of the widest range that has
    it.

    F1 is a step function of t that changes at the scores only. Of all ranges between two changes
    with the highest F1 the widest is taken (of equally wide ones, the highest), since its middle
    bears most drift of the scores. Where no detection matches at any threshold, F1 is 0 on all of
    (0, 1] and the answer is 0.5; so it is without any figure, where all thresholds are alike.
    """
    if sweep.figures == 0:
        return 0.5
    edges = _edges(sweep)
    f1 = np.concatenate([[0.0], sweep.f1])
    steps = np.flatnonzero(_has_width(edges))
    best = f1[steps] == f1[steps].max()
    # Neighbouring steps of the best F1 are one range: from where `best` sets in to where it ends.
    turns = np.diff(np.concatenate([[False], best, [False]]).astype(np.int8))
    high = edges[steps[np.flatnonzero(turns == 1)]]
    low = edges[steps[np.flatnonzero(turns == -1) - 1] + 1]
    widest = int(np.argmax(high - low))
    return _middle_of(low[widest], high[widest])


def threshold_at_precision(sweep: Sweep, precision: float) -> float | None:
    """Choose the threshold t in (0, 1] with the highest recall of all that have this precision.

    Of equal recall the highest precision is taken; t is the middle of the range that has both. A
    threshold above all scores leaves no detection, so that its precision is undefined: it is never
    taken.

    Args:
        sweep: Counts at every threshold.
        precision: The least precision, in [0, 1].

    Returns:
        The threshold; None if none has that precision.

    Raises:
        ValueError: If the precision is outside [0, 1].
    """
    if not 0 <= precision <= 1:
        raise ValueError(f"precision must lie in [0, 1], got {precision}")
    edges = _edges(sweep)
    enough = np.concatenate([[False], sweep.precision >= precision]) & _has_width(edges)
    return _middle(edges, _best(sweep, enough)) if enough.any() else None


def highest_precision(sweep: Sweep) -> float:
    """Return the highest precision of any threshold in (0, 1]; NaN if none leaves a detection."""
    return float(max(sweep.precision[_has_width(_edges(sweep))[1:]], default=np.nan))


def threshold_at_fp_rate(sweep: Sweep, area_mm2: float, fp_per_mm2: float) -> float | None:
    """Choose the threshold t in (0, 1] with the highest recall of all within a rate of false
    positives.

    Of equal recall the fewest false positives are taken; t is the middle of the range that has
    both.

    Args:
        sweep: Counts at every threshold.
        area_mm2: Of all ROIs of the sweep together, > 0.
        fp_per_mm2: The most false positives per mm2, >= 0.

    Returns:
        The threshold; None if every such threshold is so high that no figure is detected, or if
        there is no figure.

    Raises:
        ValueError: If the area or the rate is another, and so if the area is NaN (not known).
    """
    if not fp_per_mm2 >= 0:
        raise ValueError(f"fp_per_mm2 must be >= 0, got {fp_per_mm2}")
    few = _fp_rates(sweep, area_mm2) <= fp_per_mm2
    return _middle(_edges(sweep), _best(sweep, few)) if few.any() else None


def lowest_fp_rate(sweep: Sweep, area_mm2: float) -> float:
    """Return the fewest false positives per mm2 of any threshold in (0, 1] that detects a figure.

    Args:
        sweep: Counts at every threshold.
        area_mm2: Of all ROIs of the sweep together, > 0.

    Returns:
        The rate; inf if no threshold detects a figure.

    Raises:
        ValueError: If the area is NaN (not known) or not > 0.
    """
    return float(_fp_rates(sweep, area_mm2).min())


def _fp_rates(sweep: Sweep, area_mm2: float) -> Values:
    """(K + 1,) false positives per mm2 of each step, inf where it detects no figure or no t in
    (0, 1] has it."""
    if not 0 < area_mm2 < np.inf:
        raise ValueError(f"area_mm2 must be known and > 0, got {area_mm2}")
    useful = np.concatenate([[False], sweep.tp > 0]) & _has_width(_edges(sweep))
    return np.where(useful, np.concatenate([[0], sweep.fp]) / area_mm2, np.inf)


def _edges(sweep: Sweep) -> Values:
    """(K + 2,), falling from 1 to 0: for t on (edges[k + 1], edges[k]] the detections of the k
    highest scores count, none of them for k = 0."""
    return np.concatenate([[1.0], np.clip(sweep.thresholds, 0, 1), [0.0]])


def _has_width(edges: Values) -> NDArray[np.bool_]:
    """(K + 1,): whether a t in (0, 1] exists at which so many scores count. None does around scores
    outside (0, 1)."""
    return np.asarray(edges[1:] < edges[:-1])


def _best(sweep: Sweep, allowed: NDArray[np.bool_]) -> int:
    """Of the allowed steps (K + 1,) the one that detects most figures, and of these the one with
    the fewest detections."""
    tp = np.where(allowed, np.concatenate([[0], sweep.tp]), -1)
    return int(np.argmax(tp))  # the first of equals: counts only grow from step to step


def _middle(edges: Values, step: int) -> float:
    return _middle_of(edges[step + 1], edges[step])


def _middle_of(low: float, high: float) -> float:
    """The middle of (low, high]; `high` where the middle of neighbouring floats is `low`."""
    middle = (low + high) / 2
    return float(middle if middle > low else high)
