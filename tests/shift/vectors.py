"""Feature vectors that tests of the shift report share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def draw(count: int, dims: int, *, at: float = 0.0, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(at, 1.0, (count, dims))


def groups(count: int, size: int, name: str = "roi") -> list[str]:
    """The names of `count` vectors, `size` of one group after another: roi 0, roi 0, …, roi 1, …"""
    return [f"{name} {i // size}" for i in range(count)]


def study(**counts: int) -> tuple[dict[str, Values], dict[str, list[str]]]:
    """So many patches of each scanner, five of a patient, all of one distribution of 20
    features."""
    features = {name: draw(count, 20, seed=ord(name)) for name, count in counts.items()}
    return features, {name: groups(count, 5, name) for name, count in counts.items()}
