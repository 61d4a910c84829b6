"""The distances between scanners in the features of a model, with the baseline of each scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.distance import pdist

from midog.shift.distances import (
    Values,
    Vectors,
    frechet_distance,
    mmd,
    proxy_a_distance,
    reduce,
)
from midog.shift.halves import SLOW_DRAWS, Halves, equal_halves, halve

FEATURE_DISTANCES: dict[str, str] = {
    "pad": (
        "proxy A-distance: how well a linear classifier tells the two apart, from 0 (not at all) to"
        " 2 (always)"
    ),
    "frechet": (
        "Frechet distance: how far apart mean and spread are if both were normal distributions,"
        " from 0 up"
    ),
    "mmd": (
        "squared maximum mean discrepancy: how much closer patches lie to their own kind, about 0"
        " if not at all"
    ),
}


def feature_distances(
    features: Mapping[str, Vectors],
    patients: Mapping[str, Sequence[str]],
    pairs: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
) -> dict[tuple[str, str], dict[str, float]]:
    """Return the distances of FEATURE_DISTANCES of each pair of scanners; of a scanner and itself,
    the baseline.

    Frechet distance and MMD are taken between a half of the one's patients and a half of the
    other's, all halves cut to one number of patches, and are means over DRAWS draws (for two
    scanners, over both pairs of halves of each). For the Frechet distance is the larger the fewer
    the patches, even within one distribution (Chong & Forsyth, CVPR 2020): with one number for all,
    that bias is in every pair and in the baseline alike, so that they can be compared. A baseline
    of halves of patients also holds how patients differ. One reduction by `reduce` and one
    bandwidth, of the features of all scanners, give all pairs one scale. "pad" takes all patches
    and whole features; its baseline tells the two halves apart, mean over SLOW_DRAWS draws.

    Args:
        features: (N, D) by scanner.
        patients: (N,) of the same scanners.
        pairs: Of names of scanners.
        seed: Of the halves and the folds.

    Returns:
        By pair and name; NaN where a distance is undefined, as is the baseline of a scanner with
        one patient; that of "pad" needs two patients in either half.
    """
    small = dict(zip(features, reduce(list(features.values())), strict=True))
    draws = equal_halves(patients, seed)
    bandwidth = _bandwidth(small, draws)
    distances = {}
    for a, b in pairs:
        of_draws = [
            (frechet_distance(one, other), mmd(one, other, bandwidth))
            for halves in draws
            for one, other in _sides(small, halves, a, b, patients)
        ]
        frechet, discrepancy = np.mean(of_draws, axis=0) if of_draws else (np.nan, np.nan)
        pad = (
            _pad_of_halves(features[a], patients[a], seed)
            if a == b
            else _pad(features, patients, a, b, seed)
        )
        distances[a, b] = {"pad": pad, "frechet": float(frechet), "mmd": float(discrepancy)}
    return distances


def _sides(
    small: Mapping[str, Values],
    halves: Mapping[str, Halves],
    a: str,
    b: str,
    patients: Mapping[str, Sequence[str]],
) -> list[tuple[Values, Values]]:
    """The halves that are compared in a draw: first with second, and second with first if a and b
    differ."""
    if a not in halves or b not in halves or (a == b and len(set(patients[a])) < 2):
        return []
    ways = [(0, 1)] if a == b else [(0, 1), (1, 0)]
    return [(small[a][halves[a][one]], small[b][halves[b][other]]) for one, other in ways]


def _bandwidth(small: Mapping[str, Values], draws: Sequence[Mapping[str, Halves]]) -> float:
    """The median distance between patches of all scanners, of each as many: the first halves of the
    first draw."""
    pool = [small[scanner][first] for scanner, (first, _) in draws[0].items()]
    return float(np.median(pdist(np.concatenate(pool)))) if pool else 0.0


def _pad(
    features: Mapping[str, Vectors],
    patients: Mapping[str, Sequence[str]],
    a: str,
    b: str,
    seed: int,
) -> float:
    return proxy_a_distance(features[a], features[b], patients[a], patients[b], seed=seed).pad


def _pad_of_halves(vectors: Vectors, patients: Sequence[str], seed: int) -> float:
    names, pads = np.array(patients, dtype=str), []
    if len(set(patients)) < 2:
        return float("nan")
    for draw in range(SLOW_DRAWS):
        one, other = halve({"": patients}, draw, seed)[""]
        sides = names[one].tolist(), names[other].tolist()
        pads.append(proxy_a_distance(vectors[one], vectors[other], *sides, seed=seed).pad)
    return float(np.mean(pads))
