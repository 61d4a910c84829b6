"""The choice of a threshold by precision or by false positives per mm2; `best_threshold` chooses by
F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.metrics.counts import Sweep, Values


def threshold_at_precision(sweep: Sweep, precision: float) -> float | None:
    """The threshold t in (0, 1] with the highest recall of all that have at least this precision;
    None: none has it.

    precision: in [0, 1]. Of equal recall the highest precision is taken; t is the middle of the
    range that has both. A threshold above all scores finds nothing, so that its precision is
    undefined: it is never taken. Raises ValueError for a precision outside [0, 1].
    """
    if not 0 <= precision <= 1:
        raise ValueError(f"precision must lie in [0, 1], got {precision}")
    edges = _edges(sweep)
    enough = np.concatenate([[False], sweep.precision >= precision]) & _has_width(edges)
    return _middle(edges, _best(sweep, enough)) if enough.any() else None


def highest_precision(sweep: Sweep) -> float:
    """The highest precision of any threshold in (0, 1]; NaN where none finds anything."""
    return float(max(sweep.precision[_has_width(_edges(sweep))[1:]], default=np.nan))


def threshold_at_fp_rate(sweep: Sweep, area_mm2: float, fp_per_mm2: float) -> float | None:
    """The threshold t in (0, 1] with the highest recall of all that have at most this many false
    positives per mm2.

    area_mm2: > 0, of all ROIs of the sweep together. fp_per_mm2: >= 0.
    Of equal recall the fewest false positives are taken; t is the middle of the range that has
    both. None: every such threshold is so high that no figure is found (or there is none). Raises
    ValueError for another area or rate, and so for an unknown (NaN) area.
    """
    if not fp_per_mm2 >= 0:
        raise ValueError(f"fp_per_mm2 must be >= 0, got {fp_per_mm2}")
    few = _fp_rates(sweep, area_mm2) <= fp_per_mm2
    return _middle(_edges(sweep), _best(sweep, few)) if few.any() else None


def lowest_fp_rate(sweep: Sweep, area_mm2: float) -> float:
    """The fewest false positives per mm2 of any threshold in (0, 1] that finds a figure; inf where
    none does.

    Raises ValueError where the area is not known or not > 0.
    """
    return float(_fp_rates(sweep, area_mm2).min())


def _fp_rates(sweep: Sweep, area_mm2: float) -> Values:
    """(K + 1,) false positives per mm2 of each step, inf where it finds no figure or no t in (0, 1]
    has it."""
    if not 0 < area_mm2 < np.inf:
        raise ValueError(f"area_mm2 must be known and > 0, got {area_mm2}")
    useful = np.concatenate([[False], sweep.tp > 0]) & _has_width(_edges(sweep))
    return np.where(useful, np.concatenate([[0], sweep.fp]) / area_mm2, np.inf)


def _edges(sweep: Sweep) -> Values:
    """(K + 2,), falling from 1 to 0: for t on (edges[k + 1], edges[k]] the points of the k highest
    scores count."""
    return np.concatenate([[1.0], np.clip(sweep.thresholds, 0, 1), [0.0]])


def _has_width(edges: Values) -> NDArray[np.bool_]:
    """(K + 1,): is there a t in (0, 1] at which so many scores count? Not so around scores outside
    (0, 1)."""
    return np.asarray(edges[1:] < edges[:-1])


def _best(sweep: Sweep, allowed: NDArray[np.bool_]) -> int:
    """Of the allowed steps (K + 1,) the one with the most hits, and of these the one with the
    fewest points."""
    hits = np.where(allowed, np.concatenate([[0], sweep.tp]), -1)
    return int(np.argmax(hits))  # the first of equals: hits and points only grow from step to step


def _middle(edges: Values, step: int) -> float:
    """The middle of (edges[step + 1], edges[step]], its end where the middle of neighbouring floats
    is its start."""
    low, high = edges[step + 1], edges[step]
    middle = (low + high) / 2
    return float(middle if middle > low else high)
