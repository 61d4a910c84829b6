"""Patches that mix two stains, for the tests of stains and of what scanners look like."""

from __future__ import annotations

import math

import numpy as np

RUIFROK = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
# the reference of Veta's code of the method
USUAL = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])
BROWNISH = np.array([[0.55, 0.70, 0.45], [0.12, 0.85, 0.51]])


def painted(stains: np.ndarray, *, patches: int = 4, side: int = 64, seed: int = 0) -> np.ndarray:
    """Patches whose pixels mix two stains: some hold one alone, some both, some none."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.3, 1.1, (patches, side, side, 2)) * (
        rng.random((patches, side, side, 2)) < 0.6
    )
    density = amounts @ (stains / np.linalg.norm(stains, axis=1, keepdims=True))
    return np.clip(np.rint(256 * 10.0**-density - 1), 0, 255).astype(np.uint8)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.acos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
