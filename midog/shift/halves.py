"""Halves of the patients of each scanner, by which a distance between scanners has a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midog.boxes import IntArray
from midog.random_streams import seeded

Halves = tuple[IntArray, IntArray]
"""Rows of the patches of one half of a scanner's patients, and of the other's."""

DRAWS = 10
"""Draws of halves that Frechet distance and MMD are the mean of."""
SLOW_DRAWS = 3
"""The same for the baselines of the proxy A-distance and of the image distances, which take
longer."""
_MOST_OF_A_HALF = 256
"""Patches; more add hardly anything and cost their square."""


def halve(patients: Mapping[str, Sequence[str]], draw: int, seed: int = 0) -> dict[str, Halves]:
    """Cut each scanner's patients into two halves, at random for each `draw`.

    All patients are put in one order, and each scanner's own are cut in the middle: of two scanners
    that the same patients were scanned on, one's first half and the other's second share nobody, as
    the two halves of one scanner share nobody. Of a scanner of one patient both are all of its
    patches.

    Args:
        patients: By scanner, that of each patch.
        draw: Number of the draw.
        seed: Of the order.

    Returns:
        By scanner, the rows of the patches of each half.
    """
    names = sorted({name for of_scanner in patients.values() for name in of_scanner})
    shuffled = seeded("halves", seed, draw).permutation(names).tolist()
    order = {name: place for place, name in enumerate(shuffled)}
    halves = {}
    for scanner, of_scanner in patients.items():
        places = np.array([order[name] for name in of_scanner], dtype=np.int64)
        own = np.unique(places)
        second = places >= (own[len(own) // 2] if len(own) else 0)
        halves[scanner] = (
            np.flatnonzero(~second if len(own) > 1 else second),
            np.flatnonzero(second),
        )
    return halves


def equal_halves(patients: Mapping[str, Sequence[str]], seed: int) -> list[dict[str, Halves]]:
    """Draw halves DRAWS times, each cut at random to the patches of the smallest of all draws.

    A scanner with a half of less than two patches is left out, as it has no spread.

    Args:
        patients: By scanner, that of each patch.
        seed: Of the halves and of the cuts.

    Returns:
        The halves of each draw, as of `halve`.
    """
    draws = [halve(patients, draw, seed) for draw in range(DRAWS)]
    smallest = {
        scanner: min(len(half) for halves in draws for half in halves[scanner])
        for scanner in patients
    }
    size = min([_MOST_OF_A_HALF, *(count for count in smallest.values() if count > 1)])
    rng = seeded("patches", seed)

    def cut(half: IntArray) -> IntArray:
        return rng.choice(half, size, replace=False)

    return [
        {
            scanner: (cut(one), cut(other))
            for scanner, (one, other) in halves.items()
            if smallest[scanner] > 1
        }
        for halves in draws
    ]
