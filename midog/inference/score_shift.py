"""Scores moved by a constant in their log odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shifted(scores: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Add to the log odds of scores.

    Args:
        scores: (N,) float32 in [0, 1]; 0 and 1 stay.
        shift: Finite.
    """
    odds = scores.astype(np.float64)
    with np.errstate(divide="ignore"):
        raw = np.log(odds) - np.log1p(-odds) + shift
    return np.asarray(np.exp(-np.logaddexp(0, -raw))).astype(np.float32)


def lowered(floor: float, shift: float) -> float:
    """Return the score that a shift brings to `floor` where it raises scores, else the floor."""
    return float(shifted(np.array([floor], np.float32), -shift)[0]) if shift > 0 else floor
