"""How far features of scanners are apart: proxy A-distance, Frechet distance, MMD; their baselines
and projection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from midog.random_streams import seeded

Values = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]
Halves = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows of the patches of one half of a scanner's patients, and of the other's."""

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

DIMS = 8
"""Principal components that Frechet distance and MMD are of: few enough for a covariance of a
hundred patches."""
DRAWS = 10
"""Draws of halves that Frechet distance and MMD are the mean of."""
SLOW_DRAWS = 3
"""The same for the baselines of the proxy A-distance and of the image distances, which take
longer."""
_MOST_OF_A_HALF = 256  # patches; more say hardly more and cost their square


@dataclass(frozen=True)
class AProxy:
    """A proxy A-distance.

    pad: from 0, not told apart, to 2, always. error: the classifier's balanced error in [0, 1], 0.5
    is chance.
    folds: of its cross-validation. Where a side has fewer than two groups pad and error are NaN and
    folds is 0.
    """

    pad: float
    error: float
    folds: int


def proxy_a_distance(
    a: Vectors,
    b: Vectors,
    groups_a: Sequence[str],
    groups_b: Sequence[str],
    *,
    folds: int = 5,
    seed: int = 0,
) -> AProxy:
    """2 (1 - 2 error) of a linear classifier that is to tell a from b (Ben-David et al. 2007,
    NeurIPS 19).

    a (N, D), b (M, D): features. groups_a (N,), groups_b (M,): the patient or ROI of each; the
    classifier is tested on groups that it was not taught on, as it would else know the tissue and
    not the scanner.
    folds: at least 2; no more are made than the smaller side has groups. seed: shuffles groups
    among them. The error is the mean of both sides' shares of wrong answers; over 0.5 the distance
    is 0.
    """
    assert len(a) == len(groups_a), (len(a), len(groups_a))
    assert len(b) == len(groups_b), (len(b), len(groups_b))
    folds = min(folds, len(set(groups_a)), len(set(groups_b)))
    if folds < 2:
        return AProxy(float("nan"), float("nan"), 0)
    features = np.concatenate([a, b]).astype(np.float64)
    sides = np.repeat([0, 1], [len(a), len(b)])
    wrong = _answers(features, sides, np.array([*groups_a, *groups_b]), folds, seed) != sides
    error = float(wrong[sides == 0].mean() + wrong[sides == 1].mean()) / 2
    return AProxy(2 * (1 - 2 * min(error, 0.5)), error, folds)


def frechet_distance(a: Vectors, b: Vectors) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)), A and B the covariances (FID; Heusel et al.
    2017).

    a (N, D), b (M, D): features, reduced ones if N or M is not well over D. NaN where N or M is
    below 2.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    shift = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    # The root of A B has the trace of the root of A^.5 B A^.5, which is the sum of the singular
    # values of A^.5 B^.5: no root of a matrix that is not symmetric, and none of a rounding error.
    shared = np.linalg.svd(root_a @ root_b, compute_uv=False).sum()
    distance = shift @ shift + (root_a**2).sum() + (root_b**2).sum() - 2 * shared
    return max(0.0, float(distance))


def mmd(a: Vectors, b: Vectors, bandwidth: float | None = None) -> float:
    """Unbiased squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13, equation 3), so it
    may be below 0.

    a (N, D), b (M, D): features. The kernel is exp(-d^2 / (2 h^2)), h the bandwidth; None: the
    median of the distances d between all points of both. NaN where N or M is below 2, or where h is
    0.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    distances = pdist(np.concatenate([a, b]).astype(np.float64))
    bandwidth = float(np.median(distances)) if bandwidth is None else bandwidth
    if bandwidth == 0:
        return float("nan")
    kernel = squareform(
        np.exp(-((distances / bandwidth) ** 2) / 2)
    )  # 0, not 1, on the diagonal: no point with itself
    n, m = len(a), len(b)
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    return float(within - 2 * kernel[:n, n:].mean())


def reduce(features: Sequence[Vectors], dims: int = DIMS) -> list[Values]:
    """Each set on the pool's first principal components, after each feature got the pool's mean 0
    and sd 1.

    A covariance of several hundred features needs more patches than there are; one of `dims` does
    not.
    features: sets (N, D), N may be 0. Returns (N, K) each, K at most dims, D, and one less than all
    vectors together. The largest weight of each component is positive, so that the same features
    give the same picture.
    """
    pool = np.concatenate(features).astype(np.float64)
    count = min(dims, pool.shape[1], len(pool) - 1)
    if count < 1:
        return [np.zeros((len(one), 0)) for one in features]
    pca = PCA(count, svd_solver="full")
    scores = pca.fit_transform(StandardScaler().fit_transform(pool))
    # Older versions of scikit-learn choose the sign by the scores: one more patch could mirror the
    # picture.
    largest = np.abs(pca.components_).argmax(axis=1)
    scores = scores * np.where(pca.components_[np.arange(count), largest] < 0, -1.0, 1.0)
    return np.split(scores, np.cumsum([len(one) for one in features])[:-1])


def project(features: Sequence[Vectors]) -> list[Values]:
    """Each set (N, D) as points (N, 2) of a picture: the first two components of `reduce`, 0 where
    there are fewer."""
    return [np.pad(one, ((0, 0), (0, 2 - one.shape[1]))) for one in reduce(features, dims=2)]


def halve(patients: Mapping[str, Sequence[str]], draw: int, seed: int = 0) -> dict[str, Halves]:
    """Two halves of each scanner's patients, at random for each `draw`: rows of the patches of
    each.

    patients: by scanner, that of each patch. All patients are put in one order, and each scanner's
    own are cut in the middle: of two scanners that the same patients were scanned on, one's first
    half and the other's second share nobody, as the two halves of one scanner share nobody. Of a
    scanner of one patient both are all of its patches.
    """
    names = sorted({name for of_scanner in patients.values() for name in of_scanner})
    order = dict(
        zip(
            seeded("halves", seed, draw).permutation(names).tolist(),
            range(len(names)),
            strict=True,
        )
    )
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


def feature_distances(
    features: Mapping[str, Vectors],
    patients: Mapping[str, Sequence[str]],
    pairs: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
) -> dict[tuple[str, str], dict[str, float]]:
    """The distances of FEATURE_DISTANCES of each pair of scanners; of a scanner and itself, the
    baseline.

    features: (N, D) by scanner; patients: (N,) of the same scanners. Distances are NaN where one is
    undefined, as is the baseline of a scanner with one patient; that of "pad" needs two patients in
    either half.

    Frechet distance and MMD are taken between a half of the one's patients and a half of the
    other's, all halves cut to one number of patches, and are means over DRAWS draws (for two
    scanners, over both pairs of halves of each). For the Frechet distance is the larger the fewer
    the patches, even within one distribution (Chong & Forsyth, CVPR 2020): with one number for all,
    that bias is in every pair and in the baseline alike, so that they can be compared. A baseline
    of halves of patients also holds how patients differ. One reduction by `reduce` and one
    bandwidth, of the features of all scanners, give all pairs one scale. "pad" takes all patches
    and whole features; its baseline tells the two halves apart, mean over SLOW_DRAWS draws.
    """
    small = dict(zip(features, reduce(list(features.values())), strict=True))
    draws = _equal_halves(patients, seed)
    bandwidth = _bandwidth(small, draws)
    found = {}
    for a, b in pairs:
        apart = [
            (frechet_distance(one, other), mmd(one, other, bandwidth))
            for halves in draws
            for one, other in _sides(small, halves, a, b, patients)
        ]
        frechet, discrepancy = np.mean(apart, axis=0) if apart else (np.nan, np.nan)
        pad = (
            _pad_of_halves(features[a], patients[a], seed)
            if a == b
            else _pad(features, patients, a, b, seed)
        )
        found[a, b] = {"pad": pad, "frechet": float(frechet), "mmd": float(discrepancy)}
    return found


def _equal_halves(patients: Mapping[str, Sequence[str]], seed: int) -> list[dict[str, Halves]]:
    """DRAWS times `halve`, each half cut at random to the patches of the smallest of all draws.

    A scanner with a half of less than two patches is left out, as nothing can be said of it.
    """
    draws = [halve(patients, draw, seed) for draw in range(DRAWS)]
    smallest = {
        scanner: min(len(half) for halves in draws for half in halves[scanner])
        for scanner in patients
    }
    size = min([_MOST_OF_A_HALF, *(count for count in smallest.values() if count > 1)])
    rng = seeded("patches", seed)

    def cut(half: NDArray[np.int64]) -> NDArray[np.int64]:
        return rng.choice(half, size, replace=False)

    return [
        {
            scanner: (cut(one), cut(other))
            for scanner, (one, other) in halves.items()
            if smallest[scanner] > 1
        }
        for halves in draws
    ]


def _sides(
    small: Mapping[str, Values],
    halves: Mapping[str, Halves],
    a: str,
    b: str,
    patients: Mapping[str, Sequence[str]],
) -> list[tuple[Values, Values]]:
    """The halves that are compared in a draw: first with second, and second with first where a and
    b are two."""
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


def _answers(
    features: Values, sides: NDArray[np.int64], groups: NDArray[np.str_], folds: int, seed: int
) -> NDArray[np.int64]:
    """The side (0 or 1) that each vector is given by a classifier taught on groups other than its
    own."""
    answers = np.empty_like(sides)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for taught, tested in split.split(features, sides, groups):
        if (
            len(set(sides[taught])) < 2
        ):  # groups on both sides can leave the tested part all of one side
            answers[tested] = sides[taught][0]
            continue
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
        )
        answers[tested] = classifier.fit(features[taught], sides[taught]).predict(features[tested])
    return answers


def _covariance_root(a: Vectors) -> Values:
    """The symmetric square root (D, D) of the covariance, N - 1 below the line, of a (N, D)."""
    centred = a - a.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(a) - 1))
    root: Values = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
